package console_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/console/access"
)

func TestSupportDoesNotReadTheNumberInACarriersReference(t *testing.T) {
	t.Parallel()
	s := newSite(t, false)
	s.sends("acme", "o1", someNumber, "order 7")
	s.says("acme", "o1", 1, "first", takes("4915112345678-17"))
	s.wall.Add(time.Second)
	for _, path := range []string{"/otps/o1", "/otps/o1/story"} {
		s.entered(access.Owner).get(http.StatusOK, path).reads(t, "Its reference: 4915112345678-17.")
		s.entered(access.Support).get(http.StatusOK, path).reads(t, "first accepted the message", "Its reference: [hidden").lacks(t, "12345678")
	}
}

func TestSupportDoesNotReadTheNumberInACallersReference(t *testing.T) {
	t.Parallel()
	s := newSite(t, false)
	s.sends("acme", "o1", someNumber, "call 4915112345678")
	s.sends("acme", "o2", someNumber, "order 7")
	for _, path := range []string{"/otps", "/otps/o1", "/otps/o1/story"} {
		s.entered(access.Owner).get(http.StatusOK, path).reads(t, "call 4915112345678")
		s.entered(access.Support).get(http.StatusOK, path).reads(t, "[hidden, as the recipient is in it]").lacks(t, "12345678")
	}
	s.entered(access.Support).get(http.StatusOK, "/otps").reads(t, "order 7")
}

func TestAnAddressBehindAnOctopushReferenceIsNotShown(t *testing.T) {
	t.Parallel()
	s := newSite(t, false)
	s.sendsOver("octopush", "acme", "o1", someNumber, "order-7 192.0.2.77")
	s.sendsOver("octopush", "acme", "o2", someNumber, "4915112345678 192.0.2.78")
	for _, path := range []string{"/otps", "/otps/o1", "/otps/o1/story"} {
		for _, role := range []access.Role{access.Owner, access.Support} {
			s.entered(role).get(http.StatusOK, path).reads(t, "order-7").lacks(t, "192.0.2")
		}
	}
	for _, path := range []string{"/otps", "/otps/o2"} {
		s.entered(access.Support).get(http.StatusOK, path).reads(t, "[hidden, as the recipient is in it]").lacks(t, "192.0.2", "12345678")
	}
}
