package request

import "strings"

// Allowed says whether an allow-list holds the name of a subscription or resource group; an empty list holds all.
func Allowed(list []string, name string) bool {
	for _, v := range list {
		if sameName(v, name) {
			return true
		}
	}
	return len(list) == 0
}

// sameName compares as Azure does, without case. strings.EqualFold takes the Kelvin sign for a k and the long s for an s,
// which are other names to Azure: two names are the same only when their lower case and their upper case agree.
func sameName(a, b string) bool {
	both := func(s string) string { return strings.ToLower(s) + "/" + strings.ToUpper(s) }
	return both(a) == both(b)
}
