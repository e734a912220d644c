# A message centre made of Perl's Net::SMPP, for the tests of this package. It
# serves one connection, writes the port, then a line of JSON for each message
# and each answer to a receipt, and ends with the connection.
use strict;
use warnings;
use JSON::PP;
use Net::SMPP;

$| = 1;
my $listener = Net::SMPP->new_listen('127.0.0.1', port => 0, smpp_version => 0x34, interface_version => 0x34)
    or die "listen: $!";
print encode_json({ event => 'listening', port => $listener->sockport }), "\n";
my $smpp = $listener->accept or die "accept: $!";
my $last = 0;
while (my $pdu = $smpp->read_pdu) {
    my ($cmd, $seq) = ($pdu->{cmd}, $pdu->{seq});
    if ($cmd == 0x09) {
        my $ok = $pdu->{system_id} eq 'esme' && $pdu->{password} eq 'secret' && $pdu->{interface_version} == 0x34;
        $smpp->bind_transceiver_resp(seq => $seq, status => $ok ? 0 : 0x0d, system_id => 'perl', sc_interface_version => chr 0x34);
    } elsif ($cmd == 0x04) {
        my %seen = (event => 'submit');
        for my $field (qw(source_addr_ton source_addr_npi source_addr dest_addr_ton dest_addr_npi destination_addr
            esm_class validity_period registered_delivery data_coding)) {
            $seen{$field} = "$pdu->{$field}";
        }
        $seen{text} = unpack 'H*', $pdu->{short_message};
        for my $field (qw(user_message_reference sar_msg_ref_num sar_total_segments sar_segment_seqnum message_payload)) {
            $seen{$field} = unpack 'H*', $pdu->{$field} if defined $pdu->{$field};
        }
        print encode_json(\%seen), "\n";
        if ($pdu->{short_message} =~ /refuse/) {
            $smpp->submit_sm_resp(seq => $seq, status => 0x0b, message_id => '');
            next;
        }
        my $id = sprintf '%08x', ++$last;
        $smpp->submit_sm_resp(seq => $seq, message_id => $id);
        my $receipt = "id:$id sub:001 dlvrd:001 submit date:2611220034 done date:2611220035 stat:DELIVRD err:000 text:";
        $smpp->deliver_sm(async => 1, source_addr => $pdu->{destination_addr}, destination_addr => $pdu->{source_addr},
            esm_class => 4, short_message => $receipt, receipted_message_id => "$id\0", message_state => chr 2);
    } elsif ($cmd == 0x80000005) {
        print encode_json({ event => 'receipt', status => $pdu->{status} }), "\n";
        $smpp->enquire_link(async => 1);
    } elsif ($cmd == 0x80000015) {
        print encode_json({ event => 'alive' }), "\n";
    } elsif ($cmd == 0x15) {
        $smpp->enquire_link_resp(seq => $seq);
    } elsif ($cmd == 0x06) {
        $smpp->unbind_resp(seq => $seq);
        print encode_json({ event => 'unbound' }), "\n";
        last;
    } else {
        $smpp->generic_nack(seq => $seq, status => 3);
        print encode_json({ event => 'unknown', cmd => $cmd }), "\n";
    }
}
