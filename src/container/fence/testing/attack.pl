# What an attacker in a container tries: `attack.pl <attack>` prints `<attack>: <what came of it>`. System calls are made
# by number, so that no tool of the root stands between.
use strict;
use warnings;

my %x64 = (mount => 165, umount2 => 166, mknodat => 259, process_vm_readv => 310, unshare => 272,
    setns => 308, keyctl => 250, add_key => 248, request_key => 249, syslog => 103, bpf => 321, perf_event_open => 298,
    userfaultfd => 323, io_uring_setup => 425, open_by_handle_at => 304, init_module => 175, kexec_load => 246,
    reboot => 169, swapon => 167, sethostname => 170, pivot_root => 155, chroot => 161, fsopen => 430, open_tree => 428,
    inotify_init1 => 294, inotify_add_watch => 254, clock_settime => 227, acct => 163, quotactl => 179, iopl => 172,
    fanotify_init => 300, socket => 41, kcmp => 312, move_mount => 429, personality => 135, clone => 56, settimeofday => 164);
my %arm64 = (mount => 40, umount2 => 39, mknodat => 33, process_vm_readv => 270, unshare => 97, setns => 268, keyctl => 219,
    add_key => 217, request_key => 218, syslog => 116, bpf => 280, perf_event_open => 241, userfaultfd => 282,
    io_uring_setup => 425, open_by_handle_at => 265, init_module => 105, kexec_load => 104, reboot => 142, swapon => 224,
    sethostname => 161, pivot_root => 41, chroot => 51, fsopen => 430, open_tree => 428, inotify_init1 => 26,
    inotify_add_watch => 27, clock_settime => 112, acct => 89, quotactl => 60, fanotify_init => 262, socket => 198,
    kcmp => 272, move_mount => 429, personality => 92, clone => 220, settimeofday => 170);
my %number = ($^V && `uname -m` =~ /aarch64/) ? %arm64 : %x64;

sub try {
    my ($name, @arguments) = @_;
    return 'no such call here' unless defined $number{$name};
    my $result = syscall($number{$name}, @arguments);
    return $result == -1 ? "refused, $!" : "DONE $result";
}

sub put {
    my ($path, $text) = @_;
    open(my $file, '>', $path) or return "refused, $!";
    syswrite($file, $text) or return "refused, $!";
    return 'DONE';
}

my ($none, $tmpfs, $tmp, $proc, $root, $zero) = ('none', 'tmpfs', '/tmp', '/proc', '/', pack('Q16', (0) x 16));
my $self = $$;
my %attack = (
    'mount-tmpfs' => sub { try('mount', $none, $tmp, $tmpfs, 0, 0) },
    'remount-writable' => sub { my $sys = '/proc/sys'; try('mount', $none, $sys, $none, 4096 | 32, 0) },
    'unmask' => sub { my $kcore = '/proc/kcore'; try('umount2', $kcore, 2) },
    'new-mount' => sub { try('fsopen', $proc, 0) },
    'copy-mount' => sub { try('open_tree', -100, $root, 1) },
    'pivot' => sub { try('pivot_root', $tmp, $tmp) },
    'chroot' => sub { try('chroot', $tmp) },
    'disk-device' => sub { my $path = "/tmp/disk$$"; try('mknodat', -100, $path, 060600, 0x700) },
    'memory-device' => sub { my $path = "/tmp/mem$$"; try('mknodat', -100, $path, 020600, 0x101) },
    'read-memory-of-init' => sub { try('process_vm_readv', 1, $zero, 1, $zero, 1, 0) },
    'new-user-namespace' => sub { try('unshare', 0x10000000) },
    'clone-user-namespace' => sub { my $r = try('clone', 0x10000000 | 17, 0, 0, 0, 0); exit if $r eq 'DONE 0'; $r },
    'new-mount-namespace' => sub { try('unshare', 0x20000) },
    'join-namespace' => sub { open(my $file, '<', '/proc/1/ns/net') or return "refused, $!"; try('setns', fileno $file, 0) },
    'keyring' => sub { try('keyctl', 0, -3, 1) },
    'add-key' => sub { my ($t, $n) = ('user', 'k'); try('add_key', $t, $n, $n, 1, -3) },
    'request-key' => sub { my ($t, $n) = ('user', 'k'); try('request_key', $t, $n, 0, 0) },
    'kernel-log' => sub { my $buffer = ' ' x 100; try('syslog', 3, $buffer, 100) },
    'kernel-log-file' => sub { open(my $file, '<', '/proc/kmsg') or return "refused, $!"; 'DONE' },
    'bpf' => sub { try('bpf', 0, $zero, 64) },
    'perf' => sub { try('perf_event_open', $zero, 0, -1, -1, 0) },
    'userfaultfd' => sub { try('userfaultfd', 0) },
    'io_uring' => sub { try('io_uring_setup', 1, $zero) },
    'open-by-handle' => sub { try('open_by_handle_at', -100, $zero, 0) },
    'load-module' => sub { try('init_module', $zero, 8, $zero) },
    'kexec' => sub { try('kexec_load', 0, 0, $zero, 0) },
    # With wrong numbers, so that it harms nobody where it is allowed.
    'reboot' => sub { try('reboot', 1, 1, 1, 0) },
    'swap' => sub { try('swapon', $tmp, 0) },
    'host-name' => sub { try('sethostname', $none, 4) },
    'clock' => sub { try('clock_settime', 0, $zero) },
    'day-time' => sub { try('settimeofday', $zero, 0) },
    'accounting' => sub { try('acct', 0) },
    'quota' => sub { try('quotactl', 0x80000100, 0, 0, 0) },
    'ports' => sub { try('iopl', 3) },
    'watch-all-files' => sub { try('fanotify_init', 0, 0) },
    'compare-kernel-objects' => sub { try('kcmp', 1, $self, 0, 0, 0) },
    'raw-socket' => sub { try('socket', 2, 3, 6) },
    'raw-socket-ipv6' => sub { try('socket', 10, 3, 58) },
    'packet-socket' => sub { try('socket', 17, 3, 768) },
    'hypervisor-socket' => sub { try('socket', 40, 1, 0) },
    'sysctl-kernel' => sub { put('/proc/sys/kernel/core_pattern', '|/tmp/x') },
    'sysctl-net' => sub { put('/proc/sys/net/ipv4/ip_forward', '1') },
    'sysctl-users' => sub { put('/proc/sys/user/max_inotify_instances', '1000000') },
    'sysrq' => sub { put('/proc/sysrq-trigger', 'h') },
    'own-cgroup' => sub {
        my @faults = map { put($_, '-1') } grep { -e } glob('/sys/fs/cgroup/*/memory.limit_in_bytes /sys/fs/cgroup/*/pids.max /sys/fs/cgroup/{memory,pids}.max');
        (grep { /DONE/ } @faults) ? 'DONE' : @faults ? $faults[0] : 'no such file';
    },
    'new-cgroup' => sub {
        my @made = grep { mkdir "$_/x$$" } '/sys/fs/cgroup', glob('/sys/fs/cgroup/*');
        @made ? "DONE @made" : "refused, $!";
    },
    'release-agent' => sub {
        my @done = grep { put($_, '/tmp/x') eq 'DONE' } glob('/sys/fs/cgroup/*/release_agent');
        @done ? 'DONE' : 'refused';
    },
    'uevent-helper' => sub { put('/sys/kernel/uevent_helper', '/tmp/x') },
    'oom-score' => sub { put('/proc/self/oom_score_adj', '-1000') },
    'host-processes' => sub {
        my @foreign = grep { open(my $f, '<', "$_/cmdline"); defined $f && (readline($f) // '') =~ /conmon|runc/ } glob('/proc/[0-9]*');
        @foreign ? "DONE @foreign" : 'none seen';
    },
    'host-root' => sub { -e '/proc/1/root/usr/bin/runc' || -e '/proc/1/root/../usr/sbin/runc' ? 'DONE' : 'not there' },
    # How many it gets of what the kernel counts per user.
    'inotify-instances' => sub { my $n = 0; $n++ while $n < 2000 && try('inotify_init1', 0) =~ /DONE/; $n },
);

for my $name (@ARGV ? @ARGV : sort grep { $_ ne 'inotify-instances' } keys %attack) {
    print "$name: ", $attack{$name}->(), "\n";
}
