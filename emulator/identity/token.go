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

// joseHeader begins every token. Entra ID signs with RS256; who takes a token
// for opaque, as a client has to, sees no difference.
var joseHeader = base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`))

type claims struct {
	Audience string `json:"aud"`
	Issuer   string `json:"iss"`
	IssuedAt int64  `json:"iat"`
	Expires  int64  `json:"exp"`
	AppID    string `json:"appid"`
	ID       string `json:"uti"`
}

// issue makes a token for a resource, unlike any other.
func (s *Server) issue(resource, client string, expires time.Time) string {
	now := s.now()
	payload, _ := json.Marshal(claims{ // strings and numbers always marshal
		Audience: resource,
		Issuer:   s.Endpoint(),
		IssuedAt: now.Unix(),
		Expires:  expires.Unix(),
		AppID:    client,
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
