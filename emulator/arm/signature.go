package arm

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// ticksAtUnixEpoch is 1970 in .NET ticks, of which ten million make a second.
const ticksAtUnixEpoch = 621355968000000000

// signer makes operation URLs as Azure has made them since 2026:
// &t=<ticks>&c=<certificate>&s=<signature>&h=<hash>, about 3.3 KB in all. They are capabilities: a
// changed one is refused, and a program that logs one discloses it.
type signer struct {
	secret      []byte
	certificate string // 2.8 KB that stand in for Azure's certificate chain
	partition   string // the p parameter, the same on all of a server's URLs
}

func newSigner(secret []byte) signer {
	s := signer{secret: secret, partition: newGUID()}
	s.certificate = base64.RawURLEncoding.EncodeToString(s.expand("certificate", 2100))
	return s
}

// expand is a key stream of n bytes for the text.
func (s signer) expand(text string, n int) []byte {
	var out []byte
	for block := uint32(0); len(out) < n; block++ {
		mac := hmac.New(sha256.New, s.secret)
		_ = binary.Write(mac, binary.BigEndian, block) // a hash takes everything
		mac.Write([]byte(text))
		out = mac.Sum(out)
	}
	return out[:n]
}

// sign returns the path with its signed query.
func (s signer) sign(path, apiVersion string, monitor bool, now time.Time) string {
	q := url.Values{"p": {s.partition}, "api-version": {apiVersion}, "c": {s.certificate}}
	q.Set("t", strconv.FormatInt(ticksAtUnixEpoch+now.UnixNano()/100, 10))
	var b strings.Builder
	b.WriteString(path + "?p=" + s.partition)
	if monitor {
		q.Set("monitor", "true")
		b.WriteString("&monitor=true")
	}
	signature, hash := s.seal(path, q)
	b.WriteString("&api-version=" + url.QueryEscape(apiVersion) + "&t=" + q.Get("t") + "&c=" + s.certificate)
	b.WriteString("&s=" + signature + "&h=" + hash)
	return b.String()
}

// seal signs the path and every parameter but s and h. Parameters may come in any order, as
// azcore's APIVersion policy writes them anew, sorted; another api-version than the call's own is
// refused. What Azure's signature covers is not known.
func (s signer) seal(path string, q url.Values) (signature, hash string) {
	signed := url.Values{}
	for key, values := range q {
		if key != "s" && key != "h" {
			signed[key] = values
		}
	}
	text := strings.ToLower(path) + "?" + signed.Encode()
	sum := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(s.expand(text, 256)), base64.RawURLEncoding.EncodeToString(sum[:])
}

func (s signer) verify(path string, q url.Values) bool {
	signature, hash := s.seal(path, q)
	return len(q["s"]) == 1 && len(q["h"]) == 1 &&
		hmac.Equal([]byte(signature), []byte(q.Get("s"))) && hmac.Equal([]byte(hash), []byte(q.Get("h")))
}
