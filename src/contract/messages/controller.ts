import Type from 'typebox';

/** `stackato.controller.placed`: a controller chose a DEA for an instance, or found none; for the other controllers. Ours. */
export const ControllerPlaced = Type.Object({
  controller: Type.String({ description: 'whoever placed it; it ignores its own' }),
  droplet: Type.String({ description: 'process guid' }),
  version: Type.String(),
  index: Type.Integer({ minimum: 0 }),
  memory: Type.Integer({ description: 'MB' }),
  disk: Type.Integer({ description: 'MB' }),
  dea: Type.Optional(Type.String()),
  refusal: Type.Optional(Type.String({ description: 'why no DEA could take it' })),
});
