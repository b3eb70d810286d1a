use strict;
use warnings;
use IO::Socket::INET;

$| = 1;
my $server = IO::Socket::INET->new(LocalPort => $ENV{PORT}, Listen => 64, ReuseAddr => 1) or die "can't listen: $!\n";
print "listening on $ENV{PORT}\n";
$SIG{TERM} = sub { print "stopping\n"; exit 0 };
$SIG{PIPE} = 'IGNORE';
while (1) {
    my $client = $server->accept or next;
    my $line = <$client> // '';
    while (my $header = <$client>) { last if $header =~ /^\r?\n$/ }
    my ($method, $path) = split ' ', $line;
    my $body = "Hello from a shell script, instance " . ($ENV{CF_INSTANCE_INDEX} // 0) . "\n";
    $body = join('', map { "$_=" . ($ENV{$_} // '') . "\n" } qw(PORT MEMORY_LIMIT CF_INSTANCE_INDEX)) if ($path // '') eq '/env';
    print $client "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: " . length($body) . "\r\nConnection: close\r\n\r\n$body";
    close $client;
    print "$method $path 200\n" if defined $path;
}
