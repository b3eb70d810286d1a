import { systemRandom } from '../../platform/random.ts';

/** 20 characters that are told apart easily: 100 bits. */
export function newPassword(): string {
  const letters = 'abcdefghjkmnpqrstuvwxyz23456789ABCDEFGHJKLMNPQRSTUVWXYZ';
  const pick = () => letters[systemRandom.pick(letters.length)] ?? '';
  return Array.from({ length: 4 }, () => Array.from({ length: 5 }, pick).join('')).join('-');
}
