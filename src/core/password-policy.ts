/** Longer passwords only cost hashing time. */
const LONGEST = 1024;

/** Why a new password is refused, as a sentence for its owner; undefined when it is accepted. */
export function passwordFault(
  password: string,
  rules: { readonly minLength: number; readonly userName: string },
): string | undefined {
  const length = [...password].length;
  if (length < rules.minLength) return `Password must be at least ${rules.minLength} characters in length.`;
  if (length > LONGEST) return `Password must be no more than ${LONGEST} characters in length.`;
  if (password.trim() === '') return 'Password must not be blank.';
  if (password.toLowerCase() === rules.userName.toLowerCase()) return 'Password must differ from the user name.';
  return undefined;
}
