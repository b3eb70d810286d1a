/** An address that a machine keeps, in dotted decimals as everything here. */
export type StaticAddress = {
  readonly address: string;
  /** Length of the network's prefix, bits. */
  readonly length: number;
  readonly gateway: string;
  readonly dns: readonly string[];
};

const EXAMPLE = '10.0.0.5/24';

/** Reads `10.0.0.5/24`, a gateway and name servers with commas between; or why that can't be a machine's address. */
export function readStaticAddress(given: {
  readonly address: string;
  readonly gateway: string;
  readonly dns: string;
}): StaticAddress | { readonly refused: string } {
  const [, text = '', bits = ''] = /^([\d.]+)\/(\d{1,2})$/.exec(given.address) ?? [];
  const [address, length] = [numberOf(text), Number(bits)];
  if (address === undefined || length < 8 || length > 30) {
    return { refused: `'${given.address}' is no address with the length of its network, such as ${EXAMPLE}` };
  }
  const fault = hostFault(address, length);
  if (fault !== undefined) return { refused: `${text} ${fault}` };
  const gateway = numberOf(given.gateway);
  if (gateway === undefined) return { refused: `the gateway '${given.gateway}' is no address, such as 10.0.0.1` };
  if (networkOf(gateway, length) !== networkOf(address, length)) {
    return { refused: `the gateway ${given.gateway} is not in the network of ${given.address}` };
  }
  if (gateway === address) return { refused: `${text} can't be the machine's address and its gateway` };
  const gatewayFault = hostFault(gateway, length);
  if (gatewayFault !== undefined) return { refused: `the gateway ${given.gateway} ${gatewayFault}` };
  const dns = given.dns.split(/[\s,]+/).filter(Boolean);
  const wrong = dns.find((one) => numberOf(one) === undefined);
  if (wrong !== undefined) return { refused: `the name server '${wrong}' is no address, such as 10.0.0.2` };
  if (dns.length === 0) return { refused: 'without a name server the machine finds nothing; give at least one' };
  return { address: text, length, gateway: given.gateway, dns };
}

function hostFault(address: number, length: number): string | undefined {
  const first = address >>> 24;
  if (first === 0 || first === 127 || first >= 224) return 'is no address of a machine in a network';
  const host = address - networkOf(address, length);
  if (host === 0) return `is the name of the network with /${length}, not a machine in it`;
  return host === 2 ** (32 - length) - 1
    ? `is for everyone in the network with /${length}, not one machine`
    : undefined;
}

function networkOf(address: number, length: number): number {
  const size = 2 ** (32 - length);
  return Math.floor(address / size) * size;
}

function numberOf(text: string): number | undefined {
  const parts = text.split('.');
  const isAddress = parts.length === 4 && parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255);
  return isAddress ? parts.reduce((sum, part) => sum * 256 + Number(part), 0) : undefined;
}
