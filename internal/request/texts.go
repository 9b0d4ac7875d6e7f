package request

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"goldmint/internal/iso8601"
	"goldmint/internal/quote"
)

func checkTimeout(text string) error {
	switch d, err := iso8601.Parse(text); {
	case err != nil:
		return err
	case d < MinTimeout || d > MaxTimeout:
		return fmt.Errorf("must be from PT5M to PT24H, not %s", quote.Foreign(text))
	}
	return nil
}

func checkDate(text string) error {
	if _, err := time.Parse(time.RFC3339, text); err != nil {
		return fmt.Errorf("must be a date and time such as 2027-02-01T00:00:00Z; it is %s", quote.Foreign(text))
	}
	return nil
}

// The blob endpoints of Azure's public and sovereign clouds, and those of accounts in a DNS zone (z01
// and the like).
var blobHost = regexp.MustCompile(`^[a-z0-9]{3,24}\.(blob\.core\.(windows\.net|usgovcloudapi\.net|chinacloudapi\.cn|cloudapi\.de)` +
	`|(z[0-9]{1,2}\.)?blob\.storage\.azure\.net)$`)

// Printable ASCII without what no URL holds unescaped.
var urlText = regexp.MustCompile(`^[!#-;=?-\[\]_a-z~]*$`)

// checkBlobURL wants the plain https URL of a blob. It never repeats a query or a password in its error.
func checkBlobURL(text string) error {
	example := "such as https://account.blob.core.windows.net/container/disk.vhd"
	u, err := url.Parse(text)
	switch {
	case !urlText.MatchString(text):
		return errors.New("holds a character that a URL must escape (a space, a quote, a backslash, or a letter beyond ASCII)")
	case err != nil || u.Opaque != "" || !strings.EqualFold(u.Scheme, "https"):
		return fmt.Errorf("must be the https URL of a blob, %s", example)
	case u.User != nil:
		return errors.New("may not hold a user name or password")
	case u.RawQuery != "" || u.ForceQuery:
		return errors.New("may not hold a query or SAS token: Azure refuses it; give the plain URL and let Azure read the blob with its own rights")
	case strings.Contains(text, "#"):
		return errors.New("may not hold a fragment (#…)")
	case u.Host != u.Hostname():
		return errors.New("may not name a port")
	case !blobHost.MatchString(strings.ToLower(u.Host)):
		return fmt.Errorf("must point at a blob endpoint of Azure, %s; %s is none", example, quote.Foreign(u.Host))
	}
	segments := strings.Split(u.Path, "/")[1:]
	bad := func(s string) bool { return s == "" || s == "." || s == ".." || strings.ContainsAny(s, "\x00\\") }
	if len(segments) == 0 || slices.ContainsFunc(segments, bad) {
		return fmt.Errorf("must name a blob after the host, %s", example)
	}
	return nil
}
