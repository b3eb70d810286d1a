import Type from 'typebox';

/** What is kept beside a blob's content. */
export const Description = Type.Object({
  bytes: Type.Integer(),
  sha256: Type.String(),
  sha1: Type.String(),
  identity: Type.String({ description: 'of the file that was described' }),
});
