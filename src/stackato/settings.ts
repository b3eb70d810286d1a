/** What the user set for this call: options, else STACKATO_* variables. */
export type Settings = {
  readonly target: string | undefined;
  readonly token: string | undefined;
  readonly organization: string | undefined;
  readonly space: string | undefined;
  readonly manifest: string | undefined;
  readonly path: string | undefined;
  readonly ca: string | undefined;
  readonly skipSslValidation: boolean | undefined;
  readonly noPrompt: boolean;
  readonly isJson: boolean;
};

/** The global options as commander collects them. */
export type GlobalOptions = {
  readonly target?: string;
  readonly token?: string;
  readonly organization?: string;
  readonly space?: string;
  readonly manifest?: string;
  readonly path?: string;
  readonly ca?: string;
  readonly skipSslValidation?: boolean;
  readonly prompt?: boolean;
  readonly json?: boolean;
};

/** @param variable a STACKATO_* variable by its name without the prefix */
export function settingsOf(options: GlobalOptions, variable: (name: string) => string | undefined): Settings {
  const set = (name: string) => variable(name) || undefined;
  const isOn = (name: string) => /^(1|true|yes|on)$/i.test(variable(name) ?? '');
  return {
    target: options.target ?? set('TARGET'),
    token: options.token ?? set('TOKEN'),
    organization: options.organization ?? set('ORGANIZATION'),
    space: options.space ?? set('SPACE'),
    manifest: options.manifest ?? set('MANIFEST'),
    path: options.path ?? set('PATH'),
    ca: options.ca ?? set('CA'),
    skipSslValidation: options.skipSslValidation ?? (isOn('SKIP_SSL_VALIDATION') || undefined),
    noPrompt: options.prompt === false || isOn('NO_PROMPT'),
    isJson: options.json === true || isOn('JSON'),
  };
}
