package callback_test

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"testing"
)

// answering is a resolver for which every name has these addresses. It speaks
// DNS over TCP with itself, over a pipe.
func answering(t *testing.T, addrs ...string) *net.Resolver {
	t.Helper()
	var ips []netip.Addr
	for _, a := range addrs {
		ips = append(ips, netip.MustParseAddr(a))
	}
	return &net.Resolver{
		PreferGo: true,
		Dial: func(context.Context, string, string) (net.Conn, error) {
			near, far := net.Pipe()
			go func() {
				defer far.Close()
				for {
					var size [2]byte
					if _, err := io.ReadFull(far, size[:]); err != nil {
						return
					}
					query := make([]byte, binary.BigEndian.Uint16(size[:]))
					if _, err := io.ReadFull(far, query); err != nil {
						return
					}
					answer := dnsAnswer(query, ips)
					if _, err := far.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...)); err != nil {
						return
					}
				}
			}()
			return near, nil
		},
	}
}

// dnsAnswer answers a question of one name (RFC 1035 §4) with those of ips
// that have its type.
func dnsAnswer(query []byte, ips []netip.Addr) []byte {
	const header = 12
	end := header
	for query[end] != 0 { // the name's labels
		end += int(query[end]) + 1
	}
	kind := binary.BigEndian.Uint16(query[end+1:])
	end += 5 // the last label, type and class
	out := append([]byte(nil), query[:end]...)
	count := uint16(0)
	for _, ip := range ips {
		data := ip.AsSlice()
		if is4 := kind == 1; is4 != ip.Is4() || kind != 1 && kind != 28 {
			continue
		}
		count++
		out = append(out, 0xc0, header)                // the name again
		out = binary.BigEndian.AppendUint16(out, kind) // A or AAAA
		out = binary.BigEndian.AppendUint16(out, 1)    // IN
		out = binary.BigEndian.AppendUint32(out, 0)    // do not keep
		out = binary.BigEndian.AppendUint16(out, uint16(len(data)))
		out = append(out, data...)
	}
	binary.BigEndian.PutUint16(out[2:], 0x8180) // a recursive answer, no error
	binary.BigEndian.PutUint16(out[6:], count)
	binary.BigEndian.PutUint16(out[8:], 0)
	binary.BigEndian.PutUint16(out[10:], 0)
	return out
}
