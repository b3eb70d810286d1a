# Assembles a container in one go: `assemble.pl <call numbers> <key=value> …`, each step when its keys are there.
#   from, root          copy of the subvolume `from` at `root`
#   bytes, root         what `root` may take of the disk
#   pid, users          what users of that process's user namespace may have: `name:number,…` of /proc/sys/user
#   pid, network=1      network of that process: commands for `ip` come from the input, those of the host, `--`, those inside
#   pid, root, enter=1, name, files, ids, then `--` and pairs of a folder and its place inside
#                       puts the process, which waits on an empty root, onto `root` with the mounts it has and the folders
# The distribution's tools take a process for each, and can't move a container to another root or map the owners of one.
use strict;
use warnings;

my %number = split /[=,]/, shift @ARGV;
my %with;
while (defined(my $setting = shift @ARGV)) {
    last if $setting eq '--';
    my ($key, $value) = split /=/, $setting, 2;
    $with{$key} = $value;
}
my @volumes = @ARGV;
my ($SNAPSHOT, $LIMIT, $EXCLUSIVE) = (0x50009417, 0x8030942b, 2);
my ($HERE, $CLONE, $EMPTY_PATH, $FROM_EMPTY, $DETACH) = (-100, 1 | 02000000, 0x1000, 4, 2);
my ($MS_PRIVATE, $NO_SETUID, $NO_DEVICES, $IDMAP) = (1 << 18, 2, 4, 0x100000);
my ($NEW_USERS, $NOFILE) = (0x10000000, 7);
# The kernel is handed the buffers of these, so they must be variables.
my ($empty, $dot, $new) = ('', '.', '/root');

snapshot($with{from}, $with{root}) if defined $with{from};
limit($with{root}, $with{bytes}) if defined $with{bytes};
limit_users($with{pid}, $with{users}) if defined $with{users};
connect_network($with{pid}) if defined $with{network};
enter(@with{qw(pid root name files ids)}) if defined $with{enter};

sub snapshot {
    my ($from, $to) = @_;
    my ($folder, $name) = $to =~ m{^(.*)/([^/]+)$};
    open(my $source, '<', $from) or die "$from: $!\n";
    open(my $place, '<', $folder) or die "$folder: $!\n";
    my $arguments = pack('q Q6 a4040', fileno $source, (0) x 6, $name);
    ioctl($place, $SNAPSHOT, $arguments) or die "$from can't be copied to $to: $!\n";
}

# Counts what is written to this subvolume itself; with 0 the kernel takes the one that is open.
sub limit {
    my ($path, $bytes) = @_;
    open(my $subvolume, '<', $path) or die "$path: $!\n";
    my $arguments = pack('Q6', 0, $EXCLUSIVE, 0, $bytes, 0, 0);
    ioctl($subvolume, $LIMIT, $arguments) or die "$path can't be limited to $bytes bytes: $!\n";
}

# A namespace's own settings can be seen from inside it only.
sub limit_users {
    my ($pid, $limits) = @_;
    my $space = namespace($pid, 'user');
    pipe(my $ready, my $say) or die "pipe: $!\n";
    my $child = fork();
    die "fork: $!\n" unless defined $child;
    if ($child == 0) {
        my $fault = eval { call('setns', fileno $space, 0); set_limits($limits); 1 } ? '' : $@;
        syswrite($say, $fault || 'done');
        # Perl's own end would run what belongs to the parent, and the module with a plain exit takes longer to load.
        kill 'KILL', $$;
    }
    close $say;
    my $answer = do { local $/; <$ready> };
    waitpid($child, 0);
    $answer eq 'done' or die "the limits of its users can't be set: $answer\n";
}

sub set_limits {
    for my $limit (split /,/, $_[0]) {
        my ($name, $number) = split /:/, $limit;
        open(my $file, '>', "/proc/sys/user/$name") or die "$name: $!\n";
        syswrite($file, $number) or die "$name: $!\n";
    }
}

sub connect_network {
    my ($pid) = @_;
    local $/;
    my ($outer, $inner) = split /^--\n/m, <STDIN>;
    my $space = namespace($pid, 'net');
    ip($outer);
    call('setns', fileno $space, 0);
    ip($inner);
}

sub ip {
    my ($commands) = @_;
    open(my $ip, '|-', 'ip', '-batch', '-') or die "ip can't be started: $!\n";
    print $ip $commands;
    close $ip or die "ip failed\n";
}

sub enter {
    my ($pid, $root, $name, $files, $ids) = @_;
    my $users = user_space($ids);
    my $tree = mapped($root, $users, 0);
    my @paths = mounts($pid);
    my %volume;
    while (my ($source, $place) = splice @volumes, 0, 2) {
        $volume{$place} = mapped($source, $users, $NO_SETUID | $NO_DEVICES);
    }
    my ($mounts, $names) = (namespace($pid, 'mnt'), namespace($pid, 'uts'));
    my $most = pack('Q2', $files, $files);
    call('prlimit', $pid + 0, $NOFILE, $most, 0);
    call('setns', fileno $names, 0);
    call('sethostname', $name, length $name);

    # From here on a path leads nowhere but into the container, whatever links an app put there.
    call('setns', fileno $mounts, 0);
    call('move_mount', $tree, $empty, $HERE, $new, $FROM_EMPTY);
    my ($user, $group) = (stat $new)[4, 5];
    syscall($number{setfsgid}, $group);
    syscall($number{setfsuid}, $user);
    make_place($_, -d $_) for @paths;
    make_place($_, 1) for sort keys %volume;
    syscall($number{setfsuid}, 0);
    syscall($number{setfsgid}, 0);
    for my $path (@paths) {
        my $place = "$new$path";
        call('move_mount', $HERE, $path, $HERE, $place, 0);
    }
    for my $path (sort keys %volume) {
        my $place = "$new$path";
        call('move_mount', $volume{$path}, $empty, $HERE, $place, $FROM_EMPTY);
    }
    # This moves the root of the container's waiting process too.
    chdir $new or die "$new: $!\n";
    call('pivot_root', $dot, $dot);
    call('umount2', $dot, $DETACH);
}

# A copy of what is mounted at a path, for nobody else to see yet, whose files have the owners of a map.
sub mapped {
    my ($path, $users, $attributes) = @_;
    my $tree = call('open_tree', $HERE, $path, $CLONE);
    my $change = pack('Q4', $IDMAP | $attributes, 0, $MS_PRIVATE, fileno $users);
    syscall($number{mount_setattr}, $tree, $empty, $EMPTY_PATH, $change, length $change) == 0
        or die "owners in $path can't be mapped: $!\n";
    return $tree;
}

sub call {
    my ($what, @arguments) = @_;
    my $result = syscall($number{$what}, @arguments);
    die "$what failed: $!\n" if $result == -1;
    return $result;
}

# A user namespace that says which owners of files appear as which; only its map is used.
sub user_space {
    my ($ids) = @_;
    pipe(my $ready, my $say) or die "pipe: $!\n";
    pipe(my $hold, my $done) or die "pipe: $!\n";
    my $child = fork();
    die "fork: $!\n" unless defined $child;
    if ($child == 0) {
        close $done;
        call('unshare', $NEW_USERS);
        close $say;
        sysread($hold, my $end, 1);
        kill 'KILL', $$;
    }
    close $say;
    close $hold;
    sysread($ready, my $end, 1);
    for my $kind (qw(uid gid)) {
        open(my $map, '>', "/proc/$child/${kind}_map") or die "/proc/$child/${kind}_map: $!\n";
        syswrite($map, "$ids\n") or die "owners $ids can't be mapped: $!\n";
    }
    my $space = namespace($child, 'user');
    close $done;
    waitpid($child, 0);
    return $space;
}

sub namespace {
    my ($pid, $kind) = @_;
    open(my $file, '<', "/proc/$pid/ns/$kind") or die "/proc/$pid/ns/$kind: $!\n";
    return $file;
}

# Mounts right below the root, which take theirs with them when they move.
sub mounts {
    my ($pid) = @_;
    open(my $info, '<', "/proc/$pid/mountinfo") or die "/proc/$pid/mountinfo: $!\n";
    my @lines = map { [split / /] } <$info>;
    my ($top) = map { $_->[0] } grep { $_->[4] eq '/' } @lines;
    my @paths = map { $_->[4] } grep { $_->[1] == $top && $_->[4] ne '/' } @lines;
    s/\\(\d{3})/chr oct $1/ge for @paths;
    return @paths;
}

sub make_place {
    my ($path, $is_folder) = @_;
    my $place = "$new$path";
    return if -e $place;
    my $parent = $new;
    my @names = split m{/}, substr($path, 1);
    pop @names;
    for my $part (@names) {
        $parent .= "/$part";
        -d $parent or mkdir $parent, 0755 or die "$parent: $!\n";
    }
    if ($is_folder) { mkdir $place, 0755 or die "$place: $!\n" }
    else { open(my $file, '>>', $place) or die "$place: $!\n" }
}
