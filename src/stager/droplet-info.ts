import { gzipSync } from 'node:zlib';

export type DropletInfo = {
  readonly detected_buildpack: string;
  readonly start_command: string;
  readonly processes: Readonly<Record<string, string>>;
};

const BLOCK = 512;

/**
 * `staging_info.yml` as the head of a droplet: a gzip member that holds one tar entry without the archive's end. Put
 * before the tar.gz that the container made it gives one valid tar.gz, so that the archive, which is foreign and may
 * be large, need not be unpacked and packed again to add what is known only after the build.
 */
export function dropletHead(info: DropletInfo, atMs: number): Buffer {
  // JSON is YAML, and quotes whatever a start command may hold.
  const content = Buffer.from(`---\n${JSON.stringify(info, null, 2)}\n`);
  const padding = Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK);
  return gzipSync(Buffer.concat([tarHeader('./staging_info.yml', content.length, atMs), content, padding]));
}

function tarHeader(name: string, bytes: number, atMs: number): Buffer {
  const header = Buffer.alloc(BLOCK);
  const octal = (value: number, digits: number) => `${value.toString(8).padStart(digits, '0')}\0`;
  const fields: [number, string][] = [
    [0, name],
    [100, octal(0o644, 7)],
    [108, octal(2000, 7)],
    [116, octal(2000, 7)],
    [124, octal(bytes, 11)],
    [136, octal(Math.floor(atMs / 1000), 11)],
    [148, ' '.repeat(8)],
    [156, '0'],
    [257, 'ustar\x0000'],
  ];
  for (const [at, text] of fields) header.write(text, at, 'latin1');
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return header;
}
