package servicebus

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const sasPrefix = "SharedAccessSignature "

// verifySAS checks a shared access signature: its key, that it is not over, and
// that it is for the path or for what the path is below. It returns the rights
// of the key's rule there. Its time is the true one, not the turned one: clients
// sign by theirs.
func (s *Server) verifySAS(token, path string) (Rights, error) {
	rest, ok := strings.CutPrefix(token, sasPrefix)
	if !ok {
		return 0, errors.New("the token is no shared access signature")
	}
	fields := map[string]string{}
	for part := range strings.SplitSeq(rest, "&") {
		name, value, _ := strings.Cut(part, "=")
		fields[name] = value
	}
	name, err1 := url.QueryUnescape(fields["skn"])
	signature, err2 := url.QueryUnescape(fields["sig"])
	resource, err3 := url.QueryUnescape(fields["sr"])
	if err := errors.Join(err1, err2, err3); err != nil {
		return 0, fmt.Errorf("the token is malformed: %w", err)
	}
	rule, ok := s.rule(name)
	if !ok || !equal(signature, sign(rule.key, fields["sr"], fields["se"])) {
		return 0, errors.New("the token's signature is wrong; check the shared access key")
	}
	expiry, err := strconv.ParseInt(fields["se"], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("the token's expiry %q is no time in Unix seconds", fields["se"])
	}
	if until := time.Unix(expiry, 0).UTC(); !until.After(time.Now()) {
		return 0, errors.New("ExpiredToken: The token is expired. Expiration time: " + until.Format("2006-01-02T15:04:05Z") + ".")
	}
	if !strings.Contains(resource, "://") { // the SDK's own helper signs so
		resource = "sb://" + resource
	}
	if !below(path, entityPath(resource)) {
		return 0, fmt.Errorf("the token is for %q, not for %q", resource, path)
	}
	return rule.at(path), nil
}

// sign is the signature of a resource, escaped as it stands in the token, and an
// expiry in Unix seconds.
func sign(key, resource, expiry string) string {
	h := hmac.New(sha256.New, []byte(key))
	h.Write([]byte(resource + "\n" + expiry))
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

func below(path, root string) bool {
	path, root = strings.ToLower(path), strings.ToLower(root)
	return root == "" || path == root || strings.HasPrefix(path, root+"/")
}

func equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
