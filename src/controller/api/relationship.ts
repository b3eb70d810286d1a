import Type from 'typebox';

const Guid = Type.String({ minLength: 1, maxLength: 255 });

/** `{"data":{"guid":"…"}}` in a body. */
export const ToOne = Type.Object({ data: Type.Object({ guid: Guid }) });

/** `{"data":{"guid":"…"}}`, `{"data":{"guid":null}}` or `{"data":null}` in a body. */
export const ToOneOrNone = Type.Object({
  data: Type.Union([Type.Object({ guid: Type.Union([Guid, Type.Null()]) }), Type.Null()]),
});

/** `{"data":[{"guid":"…"}]}` in a body. */
export const ToMany = Type.Object({ data: Type.Array(Type.Object({ guid: Guid }), { maxItems: 5000 }) });

/** A to-one relation as the API answers it. */
export function toOne(guid: string | null | undefined): { data: { guid: string } | null } {
  return { data: guid === null || guid === undefined ? null : { guid } };
}

/** A to-many relation as the API answers it. */
export function toMany(guids: readonly string[]): { data: { guid: string }[] } {
  return { data: guids.map((guid) => ({ guid })) };
}
