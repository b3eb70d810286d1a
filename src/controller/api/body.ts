import type { FastifyInstance, FastifyRequest } from 'fastify';
import { PlatformError } from '../../contract/errors.ts';

/**
 * Bodies by what the route asks for rather than by their content type, since clients label them loosely: JSON
 * (empty is fine), text, or an untouched stream. Multipart bodies are left to the multipart plugin.
 */
export function acceptBodies(app: FastifyInstance): void {
  const parseJson = app.getDefaultJsonParser('error', 'error');
  const read = (
    request: FastifyRequest,
    body: string | Buffer,
    done: (error: Error | null, body?: unknown) => void,
  ) => {
    const text = body.toString();
    if (request.routeOptions.config.route?.bodyKind === 'text') return done(null, text);
    if (text.trim() === '') return done(null, undefined);
    return void parseJson(request, text, (error, value) => {
      if (error) done(new PlatformError('MessageParseError', 'invalid request body', { cause: error }));
      else done(null, value);
    });
  };
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (request, payload, done) => {
    const { route } = request.routeOptions.config;
    if (route?.bodyKind === 'stream') return done(null, undefined);
    const limit = request.routeOptions.bodyLimit ?? Number.MAX_SAFE_INTEGER;
    const chunks: Buffer[] = [];
    let bytes = 0;
    payload.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= limit) chunks.push(chunk);
    });
    payload.on('error', done);
    payload.on('end', () => {
      if (bytes > limit) done(new PlatformError('UploadTooLarge', `the body is larger than ${limit} bytes`));
      else read(request, Buffer.concat(chunks), done);
    });
  });
}
