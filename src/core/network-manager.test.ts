import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type NetworkFacts, planNetwork } from './network-manager.ts';

const nobody: NetworkFacts = {
  interface: 'eth0',
  netplan: [],
  isNetworkd: false,
  ifupdown: [],
  isNetworkManager: false,
};
const wanted = { address: '10.0.0.5', length: 24, gateway: '10.0.0.1', dns: ['10.0.0.2', '9.9.9.9'] };
const debian = `# The primary network interface
source /etc/network/interfaces.d/*
auto lo
iface lo inet loopback

allow-hotplug eth0
iface eth0 inet dhcp
    mtu 1400
iface eth0 inet6 auto
`;
const ifupdown = [{ path: '/etc/network/interfaces', text: debian }];
const cloud = { path: '/etc/netplan/50-cloud-init.yaml', hasInterface: true, hasAddresses: false };

test('who configures the interface is asked: netplan first, then systemd-networkd, then ifupdown', () => {
  const managerOf = (facts: Partial<NetworkFacts>) => {
    const plan = planNetwork({ ...nobody, ...facts }, wanted);
    return 'refused' in plan ? plan.refused : plan.manager;
  };
  assert.equal(managerOf({ netplan: [cloud], isNetworkd: true }), 'netplan');
  assert.equal(managerOf({ netplan: [{ ...cloud, hasInterface: false }], isNetworkd: true }), 'systemd-networkd');
  assert.equal(managerOf({ isNetworkd: true, ifupdown }), 'systemd-networkd');
  assert.equal(managerOf({ ifupdown, isNetworkManager: true }), 'ifupdown');
  assert.match(managerOf({ isNetworkManager: true }), /NetworkManager configures eth0/);
  assert.match(managerOf({}), /neither netplan nor systemd-networkd nor ifupdown configures eth0/);
  assert.match(managerOf({ interface: 'eth1', ifupdown }), /configures eth1/);
  const twice = [...ifupdown, { path: '/etc/network/interfaces.d/eth0', text: 'iface eth0 inet dhcp' }];
  assert.match(managerOf({ ifupdown: twice }), /described 2 times, in \/etc\/network\/interfaces and .*\.d\/eth0/);
  assert.match(managerOf({ netplan: [{ ...cloud, hasAddresses: true }] }), /50-cloud-init\.yaml gives eth0 addresses/);
});

test('ifupdown: the stanza is changed where it is, and what else it says stays', () => {
  const plan = planNetwork({ ...nobody, ifupdown }, wanted);
  assert.ok(!('refused' in plan));
  const stanza = `iface eth0 inet static
    address 10.0.0.5/24
    gateway 10.0.0.1
    dns-nameservers 10.0.0.2 9.9.9.9
`;
  assert.equal(plan.text, debian.replace('iface eth0 inet dhcp\n', stanza));
  assert.equal(plan.path, '/etc/network/interfaces');
  assert.deepEqual(plan.apply('/old'), [
    ['ifdown', '--force', '-i', '/old', 'eth0'],
    ['ifup', 'eth0'],
  ]);
  const changed = [{ path: plan.path, text: plan.text }];
  const again = planNetwork({ ...nobody, ifupdown: changed }, wanted);
  assert.equal('refused' in again ? '' : again.text, plan.text, 'the same once more');
  const back = planNetwork({ ...nobody, ifupdown: changed }, undefined);
  assert.equal('refused' in back ? '' : back.text, debian);
});

test('systemd-networkd: a file that comes before all others', () => {
  const plan = planNetwork({ ...nobody, isNetworkd: true }, wanted);
  assert.ok(!('refused' in plan));
  assert.match(plan.path, /^\/etc\/systemd\/network\/0-stackato-eth0\.network$/);
  assert.ok('0-stackato-eth0.network' < '00-a.network');
  assert.match(
    plan.text,
    /\[Match\]\nName=eth0\n\n\[Network\]\nAddress=10\.0\.0\.5\/24\nGateway=10\.0\.0\.1\nDNS=10\.0\.0\.2\nDNS=9\.9\.9\.9\n$/,
  );
  const dhcp = planNetwork({ ...nobody, isNetworkd: true }, undefined);
  assert.match('refused' in dhcp ? '' : dhcp.text, /\[Network\]\nDHCP=ipv4\n$/);
});

test('netplan: a file that comes after all others', () => {
  const plan = planNetwork({ ...nobody, netplan: [cloud] }, wanted);
  assert.ok(!('refused' in plan));
  assert.equal(
    plan.text,
    `# Written by kato.
network:
  version: 2
  ethernets:
    "eth0":
      dhcp4: false
      addresses: [10.0.0.5/24]
      routes: [{ to: 0.0.0.0/0, via: 10.0.0.1 }]
      nameservers: { addresses: [10.0.0.2, 9.9.9.9] }
`,
  );
  assert.equal(plan.mode, 0o600);
  const own = { path: plan.path, hasInterface: true, hasAddresses: true };
  const dhcp = planNetwork({ ...nobody, netplan: [cloud, own] }, undefined);
  assert.match('refused' in dhcp ? '' : dhcp.text, /dhcp4: true\n$/);
});
