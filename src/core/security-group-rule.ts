/** One egress rule of a security group, as it arrives. */
export type EgressRuleInput = {
  readonly protocol: string;
  readonly destination: string;
  readonly ports?: string | undefined;
  readonly type?: number | undefined;
  readonly code?: number | undefined;
};

const OCTET = String.raw`(?:25[0-5]|2[0-4]\d|1?\d?\d)`;
const V4 = String.raw`${OCTET}(?:\.${OCTET}){3}`;
const V4_FORM = new RegExp(`^${V4}(?:/(?:3[0-2]|[12]?\\d))?$`);
const V4_RANGE = new RegExp(`^(${V4})-(${V4})$`);
const V6_FORM = /^[0-9a-f:]*:[0-9a-f:]*(?:\/(?:12[0-8]|1[01]\d|\d?\d))?$/i;
const PORTS = /^\d{1,5}(?:-\d{1,5})?$/;

/** What is wrong with a rule; empty when nothing is. Several destinations are separated by commas. */
export function ruleFaults(rule: EgressRuleInput): string[] {
  const faults = rule.destination.split(',').flatMap((part) => destinationFault(part.trim()));
  const hasPorts = rule.protocol === 'tcp' || rule.protocol === 'udp';
  const isIcmp = rule.protocol === 'icmp' || rule.protocol === 'icmpv6';
  if (hasPorts && rule.ports === undefined) faults.push('ports are required for protocols of type TCP and UDP');
  if (!hasPorts && rule.ports !== undefined)
    faults.push(`ports are not allowed for protocols of type ${rule.protocol}`);
  if (hasPorts && rule.ports !== undefined) faults.push(...portsFault(rule.ports));
  if (isIcmp && rule.type === undefined) faults.push('type is required for protocols of type ICMP');
  if (isIcmp && rule.code === undefined) faults.push('code is required for protocols of type ICMP');
  if (!isIcmp && (rule.type !== undefined || rule.code !== undefined)) {
    faults.push('type and code are only allowed for protocols of type ICMP');
  }
  return faults;
}

function destinationFault(text: string): string[] {
  if (V4_FORM.test(text) || V6_FORM.test(text)) return [];
  const range = V4_RANGE.exec(text);
  if (!range) return [`destination '${text}' must be an address, a CIDR or a range of addresses`];
  return numberOf(range[1] ?? '') <= numberOf(range[2] ?? '')
    ? []
    : [`destination range '${text}' ends before it begins`];
}

function portsFault(text: string): string[] {
  for (const part of text.split(',').map((one) => one.trim())) {
    const [first = 0, last = first] = part.split('-').map(Number);
    if (!PORTS.test(part) || first < 1 || last > 65_535 || first > last) {
      return [`ports '${text}' must be ports from 1 to 65535: 443, 80,443 or 8000-9000`];
    }
  }
  return [];
}

function numberOf(address: string): number {
  return address.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0);
}
