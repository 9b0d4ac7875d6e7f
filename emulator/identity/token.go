package identity

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"
)

// tenantID is the directory of the tokens' holders: the one that the local Resource Manager lists.
const tenantID = "44444444-4444-4444-4444-444444444444"

// joseHeader begins every token. Entra ID signs with RS256; a client has to treat a token as
// opaque, so it sees no difference.
var joseHeader = base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`))

// claims are those of a service principal's token, as far as clients were seen to read them: az and
// Terraform's azurerm take the tenant and the object from there.
type claims struct {
	Audience string `json:"aud"`
	Issuer   string `json:"iss"`
	IssuedAt int64  `json:"iat"`
	Expires  int64  `json:"exp"`
	AppID    string `json:"appid"`
	ObjectID string `json:"oid"`
	Subject  string `json:"sub"`
	Tenant   string `json:"tid"`
	ID       string `json:"uti"`
}

// issue makes a token for a resource, unlike any other.
func (s *Server) issue(resource, client string, expires time.Time) string {
	now := s.now()
	payload, _ := json.Marshal(claims{ // strings and numbers always marshal
		Audience: resource,
		Issuer:   "https://sts.windows.net/" + tenantID + "/", // as Entra ID writes it
		IssuedAt: now.Unix(),
		Expires:  expires.Unix(),
		AppID:    client,
		ObjectID: principal(client),
		Subject:  principal(client),
		Tenant:   tenantID,
		ID:       rand.Text(),
	})
	signed := joseHeader + "." + base64.RawURLEncoding.EncodeToString(payload)
	return signed + "." + s.sign(signed)
}

// Valid reports whether the server issued the token for the resource and the
// token has not expired. A slash at the end of a resource does not matter.
func (s *Server) Valid(token, resource string) bool {
	signed, signature, ok := cutLast(token)
	if !ok || !hmac.Equal([]byte(signature), []byte(s.sign(signed))) {
		return false
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(signed, joseHeader+"."))
	if err != nil {
		return false
	}
	var c claims
	if err := json.Unmarshal(payload, &c); err != nil {
		return false
	}
	return sameResource(c.Audience, resource) && s.now().Unix() < c.Expires
}

func (s *Server) sign(signed string) string {
	mac := hmac.New(sha256.New, s.key)
	mac.Write([]byte(signed))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func sameResource(a, b string) bool {
	return strings.EqualFold(strings.TrimRight(a, "/"), strings.TrimRight(b, "/"))
}

func cutLast(token string) (before, after string, ok bool) {
	i := strings.LastIndexByte(token, '.')
	if i < 0 {
		return "", "", false
	}
	return token[:i], token[i+1:], true
}
