/** Where an app lives in its container. */
export const appHome = {
  user: 'vcap',
  uid: 2000,
  gid: 2000,
  root: '/home/vcap',
  app: '/home/vcap/app',
  tmp: '/home/vcap/tmp',
  deps: '/home/vcap/deps',
} as const;

// Globs that match nothing stay as they are, hence the test for a readable file.
const SCRIPT = `for file in ${appHome.root}/profile.d/*.sh ${appHome.app}/.profile.d/*.sh; do
  if [ -r "$file" ]; then . "$file"; fi
done
if [ -r ${appHome.app}/.profile ]; then . ${appHome.app}/.profile; fi
unset file
exec bash -c "$0"`;

/**
 * The argument array of an instance's main process: sources the start-up scripts of buildpacks and app, then becomes the
 * start command. The command is an argument, never part of the script's text.
 */
export function launchCommand(command: string): string[] {
  return ['/bin/bash', '-c', SCRIPT, command];
}
