package servicebus

import (
	"net/url"
)

// SignForTest makes a shared access signature.
func SignForTest(key, resource, expiry, name string) string {
	return "SharedAccessSignature sr=" + resource + "&sig=" + url.QueryEscape(sign(key, resource, expiry)) + "&se=" + expiry + "&skn=" + name
}
