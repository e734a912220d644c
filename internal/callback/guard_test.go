package callback_test

import (
	"errors"
	"net/netip"
	"net/url"
	"testing"

	"github.com/countersign/countersign/internal/callback"
)

// Addresses at both ends of every range that is refused, and just beside it
// where that is public.
var refusedAddrs = []string{
	"0.0.0.0", "0.255.255.255", "10.0.0.0", "10.255.255.255", "100.64.0.0", "100.100.100.200", "100.127.255.255",
	"127.0.0.1", "127.255.255.255", "168.63.129.16", "169.254.0.0", "169.254.169.254", "169.254.255.255",
	"172.16.0.0", "172.31.255.255", "192.0.0.0", "192.0.0.192", "192.0.0.255", "192.0.2.0", "192.0.2.255",
	"192.88.99.1", "192.168.0.0", "192.168.255.255", "198.18.0.0", "198.19.255.255", "198.51.100.0", "198.51.100.255",
	"203.0.113.0", "203.0.113.255", "224.0.0.0", "239.255.255.255", "240.0.0.0", "255.255.255.255",
	"::", "::1", "::7f00:1", "::ffff:ffff",
	"64:ff9b::", "64:ff9b::7f00:1", "64:ff9b::ffff:ffff", "64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff",
	"2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
	"2002::", "2002:7f00:1::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "3fff::1", "fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
	"fc00::", "fd00:ec2::254", "fd20:ce::254", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
	"fe80::", "fe80::1", "fe80::1%eth0", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
	"ff00::", "ff02::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
	"100::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "4000::", "::ffff:0:7f00:1",
}

var publicAddrs = []string{
	"1.0.0.0", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0",
	"168.63.129.15", "168.63.129.17", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "191.255.255.255",
	"192.0.1.0", "192.0.1.255", "192.0.3.0", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0",
	"198.51.99.255", "198.51.101.0", "203.0.112.255", "203.0.114.0", "223.255.255.255", "8.8.8.8",
	"2000::", "2001:200::", "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db9::", "2003::", "2606:4700::1111",
	"3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
}

func checkAll(t *testing.T, g *callback.Guard, addrs []string, want error) {
	t.Helper()
	for _, a := range addrs {
		ip := netip.MustParseAddr(a)
		forms := []netip.Addr{ip}
		if ip.Is4() {
			forms = append(forms, netip.AddrFrom16(ip.As16())) // IPv4-mapped
		}
		for _, ip := range forms {
			if err := g.CheckAddr(ip); !errors.Is(err, want) {
				t.Errorf("CheckAddr(%s) = %v, want %v", ip, err, want)
			}
		}
	}
}

func TestGuardRefusesEveryListedRangeAndNothingBeside(t *testing.T) {
	t.Parallel()
	g := callback.NewGuard(callback.GuardConfig{})
	checkAll(t, g, refusedAddrs, callback.ErrAddress)
	checkAll(t, g, publicAddrs, nil)
	if err := g.CheckAddr(netip.Addr{}); !errors.Is(err, callback.ErrAddress) {
		t.Errorf("the zero address: %v, want it refused", err)
	}
}

func TestAllPrivateOpensLoopbackAndPrivateAddressesOnly(t *testing.T) {
	t.Parallel()
	g := callback.NewGuard(callback.GuardConfig{AllowPrivate: true})
	checkAll(t, g, []string{
		"127.0.0.1", "127.255.255.255", "::1", "10.1.2.3", "172.16.0.0", "172.31.255.255", "192.168.1.1", "fc00::1", "fd12::1",
	}, nil)
	checkAll(t, g, []string{
		"169.254.169.254", "169.254.0.1", "fe80::1", "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254", "100.100.100.200", "100.64.0.1",
		"168.63.129.16", "192.0.0.192", "0.0.0.0", "::", "::7f00:1", "64:ff9b::7f00:1", "2002:7f00:1::", "224.0.0.1", "ff02::1",
	}, callback.ErrAddress)
	checkAll(t, g, publicAddrs, nil)
}

func TestAnAllowedNetworkOpensItselfOnly(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name        string
		nets        []string
		open, close []string
	}{
		{"one network", []string{"10.1.0.0/16"}, []string{"10.1.0.0", "10.1.255.255"}, []string{"10.0.255.255", "10.2.0.0", "127.0.0.1"}},
		{"one address", []string{"127.0.0.1/32"}, []string{"127.0.0.1"}, []string{"127.0.0.2", "::1"}},
		{"with host bits set", []string{"192.168.7.9/24"}, []string{"192.168.7.1"}, []string{"192.168.8.1"}},
		{"IPv4-mapped", []string{"::ffff:10.1.0.0/112"}, []string{"10.1.2.3"}, []string{"10.2.0.0"}},
		{"IPv6", []string{"fd12:3456::/32"}, []string{"fd12:3456::1"}, []string{"fd12:3457::1"}},
		{"everything does not open metadata", []string{"0.0.0.0/0", "::/0"}, []string{"10.1.2.3", "127.0.0.1", "::1"}, []string{"169.254.169.254", "fd00:ec2::254", "fe80::1", "168.63.129.16"}},
		{"a wide network does not open metadata in it", []string{"fd00::/8"}, []string{"fd12::1"}, []string{"fd00:ec2::254"}},
		{"metadata named itself", []string{"169.254.10.0/24"}, []string{"169.254.10.1"}, []string{"169.254.169.254"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var nets []netip.Prefix
			for _, n := range c.nets {
				nets = append(nets, netip.MustParsePrefix(n))
			}
			g := callback.NewGuard(callback.GuardConfig{AllowNets: nets})
			checkAll(t, g, c.open, nil)
			checkAll(t, g, c.close, callback.ErrAddress)
		})
	}
}

func TestControlRefusesWhatItCannotRead(t *testing.T) {
	t.Parallel()
	g := callback.NewGuard(callback.GuardConfig{AllowPrivate: true})
	for _, c := range []struct {
		network, address string
		want             error
	}{
		{"tcp4", "8.8.8.8:443", nil},
		{"tcp6", "[2606:4700::1111]:8443", nil},
		{"tcp4", "127.0.0.1:1", nil},
		{"tcp6", "[::ffff:127.0.0.1]:80", nil},
		{"tcp6", "[fe80::1%eth0]:80", callback.ErrAddress},
		{"tcp4", "169.254.169.254:80", callback.ErrAddress},
		{"tcp", "8.8.8.8:443", callback.ErrAddress},
		{"udp4", "8.8.8.8:443", callback.ErrAddress},
		{"unix", "/run/sock", callback.ErrAddress},
		{"tcp4", "client.example.com:443", callback.ErrAddress},
		{"tcp4", "8.8.8.8", callback.ErrAddress},
		{"tcp4", "", callback.ErrAddress},
	} {
		if err := g.Control(t.Context(), c.network, c.address, nil); !errors.Is(err, c.want) {
			t.Errorf("Control(%s, %s) = %v, want %v", c.network, c.address, err, c.want)
		}
	}
}

func TestLiteralAddressesAreRefusedHoweverTheyAreSpelled(t *testing.T) {
	t.Parallel()
	g := callback.NewGuard(callback.GuardConfig{})
	for _, c := range []struct {
		url  string
		want error
	}{
		{"http://127.0.0.1/x", callback.ErrAddress}, // E32
		{"https://127.0.0.1:8443/x", callback.ErrAddress},
		{"http://127.0.0.1./x", callback.ErrAddress},
		{"http://127.0.0.1../x", callback.ErrAddress},
		{"http://127.1/", callback.ErrAddress},
		{"http://127.0.1", callback.ErrAddress},
		{"http://0177.0.0.1", callback.ErrAddress},
		{"http://0x7f.0.0.1", callback.ErrAddress},
		{"http://0X7F.1", callback.ErrAddress},
		{"http://2130706433", callback.ErrAddress},
		{"http://2130706433.", callback.ErrAddress},
		{"http://0x7f000001", callback.ErrAddress},
		{"http://017700000001", callback.ErrAddress},
		{"http://00000000177.0.0.1", callback.ErrAddress},
		{"http://0", callback.ErrAddress},
		{"http://0x", callback.ErrAddress},
		{"http://10.1", callback.ErrAddress},
		{"http://192.168.257", callback.ErrAddress},
		{"http://169.254.43518", callback.ErrAddress},
		{"http://１２７.０.０.１/", callback.ErrAddress},
		{"http://127。0。0。1/", callback.ErrAddress},
		{"http://①②⑦.0.0.1/", callback.ErrAddress},
		{"http://127.0.0\u00ad.1/", callback.ErrAddress},
		{"http://[::1]/", callback.ErrAddress},
		{"http://[0:0:0:0:0:0:0:1]:80/", callback.ErrAddress},
		{"http://[::ffff:127.0.0.1]/", callback.ErrAddress},
		{"http://[::ffff:7f00:1]/", callback.ErrAddress},
		{"http://[::127.0.0.1]/", callback.ErrAddress},
		{"http://[64:ff9b::127.0.0.1]/", callback.ErrAddress},
		{"http://[fe80::1%25eth0]/", callback.ErrAddress},
		{"http://[fd00:ec2::254]/", callback.ErrAddress},
		{"http://user:pass@169.254.169.254/latest", callback.ErrAddress},

		{"http://8.8.8.8/", nil},
		{"http://134744072/", nil}, // 8.8.8.8
		{"https://[2606:4700::1111]/", nil},
		{"https://client.example.com/hook?a=1", nil},
		{"HTTPS://client.example.com", nil},
		{"https://user:pass@client.example.com./", nil},
		{"http://localhost/", nil}, // a name: refused when it is connected to
		{"http://127.0.0.1.example.com/", nil},
		{"http://0x7f.example/", nil},
		{"https://bücher.example/", nil},
		{"https://1e100.net/", nil},
		{"https://xn--bcher-kva.example/", nil},

		{"http://127.0.0.256/", callback.ErrURL},
		{"http://1.2.3.4.5/", callback.ErrURL},
		{"http://4294967296/", callback.ErrURL},
		{"http://127.0.0.08/", callback.ErrURL},
		{"http://client.example.123/", callback.ErrURL},
		{"http://127..1/", callback.ErrURL},
		{"http:///x", callback.ErrURL},
		{"http://./x", callback.ErrURL},
		{"http://:80/x", callback.ErrURL},
		{"/x", callback.ErrURL},
		{"ftp://client.example.com/", callback.ErrURL},
		{"file:///etc/passwd", callback.ErrURL},
		{"https:client.example.com", callback.ErrURL},
	} {
		u, err := url.Parse(c.url)
		if err != nil {
			t.Errorf("%s cannot be parsed: %v", c.url, err)
			continue
		}
		if err := g.CheckURL(u); !errors.Is(err, c.want) {
			t.Errorf("CheckURL(%s) = %v, want %v", c.url, err, c.want)
		}
	}
	if err := g.CheckURL(nil); !errors.Is(err, callback.ErrURL) {
		t.Errorf("CheckURL(nil) = %v", err)
	}
}

func TestHTTPSCanBeRequired(t *testing.T) {
	t.Parallel()
	g := callback.NewGuard(callback.GuardConfig{RequireHTTPS: true, AllowPrivate: true})
	for text, want := range map[string]error{
		"http://client.example.com/": callback.ErrHTTPS,
		"HTTP://127.0.0.1/":          callback.ErrHTTPS,
		"https://127.0.0.1/":         nil,
	} {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := g.CheckURL(u); !errors.Is(err, want) {
			t.Errorf("CheckURL(%s) = %v, want %v", text, err, want)
		}
	}
}

// FuzzCheckURL looks for a URL that passes though a reader of addresses, Go's
// or C's, takes its host for a refused one.
func FuzzCheckURL(f *testing.F) {
	for _, s := range []string{
		"http://127.0.0.1/x", "http://[::ffff:127.0.0.1]:80/", "http://0177.0.0.1", "http://2130706433", "http://127.1",
		"http://１２７.０.０.１/", "https://user:pass@client.example.com/hook?a=1#f", "http://[fe80::1%25eth0]/", "http://0x/", "http:opaque",
	} {
		f.Add(s)
	}
	g := callback.NewGuard(callback.GuardConfig{})
	f.Fuzz(func(t *testing.T, text string) {
		u, err := url.Parse(text)
		if err != nil || g.CheckURL(u) != nil {
			return
		}
		if u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" {
			t.Fatalf("%q passed", text)
		}
		if ip, err := netip.ParseAddr(u.Hostname()); err == nil && g.CheckAddr(ip) != nil {
			t.Fatalf("%q passed, its host is %s", text, ip)
		}
		if ip, ok := inetAton(u.Hostname()); ok && g.CheckAddr(ip) != nil {
			t.Fatalf("%q passed, C reads its host as %s", text, ip)
		}
	})
}
