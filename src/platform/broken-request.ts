import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';

/**
 * Answers what is no HTTP request at all (an unknown method, headers too large) with a JSON document, and says that the
 * connection ends: a proxy in front that kept it open would lose its next request.
 */
export function refuseBrokenRequest(
  documentOf: (detail: string) => unknown,
): (error: Error & { code?: string }, socket: Socket) => void {
  return (error, socket) => {
    if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
    const status = error.code === 'HPE_HEADER_OVERFLOW' ? 431 : error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400;
    const body = JSON.stringify(documentOf(`the request is not valid HTTP (${error.message})`));
    const head = [
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
      'content-type: application/json; charset=utf-8',
      `content-length: ${Buffer.byteLength(body)}`,
      'connection: close',
    ];
    socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
  };
}
