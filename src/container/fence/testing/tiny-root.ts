import { chmod, copyFile, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const APPLETS = `ash awk cat chmod chown cp cut date dd df echo env false find grep head hostname httpd id kill ln ls
mkdir mount mv nc nslookup ping printf ps pwd readlink rm sed seq sh sleep sort stat tail tee test touch tr true ulimit
umount uname wc wget yes`;

/** A root file system of a few megabytes, from the package `busybox-static`. */
export async function makeTinyRoot(folder: string): Promise<void> {
  const folders = ['bin', 'usr/bin', 'sbin', 'dev', 'etc/ssl/certs', 'home/vcap', 'proc', 'sys', 'tmp', 'var'];
  for (const path of folders) await mkdir(join(folder, path), { recursive: true });
  await chmod(folder, 0o755);
  await chmod(join(folder, 'tmp'), 0o1777);
  await chmod(join(folder, 'home/vcap'), 0o777);
  await copyFile('/usr/bin/busybox', join(folder, 'bin/busybox'));
  for (const name of APPLETS.split(/\s+/)) await symlink('busybox', join(folder, 'bin', name));
  await writeFile(join(folder, 'etc/passwd'), 'root:x:0:0::/:/bin/sh\nvcap:x:2000:2000::/home/vcap:/bin/sh\n');
  await writeFile(join(folder, 'etc/group'), 'root:x:0:\nvcap:x:2000:\n');
}
