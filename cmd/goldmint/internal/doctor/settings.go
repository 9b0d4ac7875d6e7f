package doctor

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"goldmint/internal/config"
)

// ParseSettings reads app settings from a local.settings.json, or from what `az functionapp config
// appsettings list` prints.
func ParseSettings(text []byte) (map[string]string, error) {
	var file struct{ Values map[string]string }
	if json.Unmarshal(text, &file) == nil && file.Values != nil {
		return file.Values, nil
	}
	var list []struct{ Name, Value string }
	if err := json.Unmarshal(text, &list); err != nil || len(list) == 0 || list[0].Name == "" {
		return nil, errors.New("neither a local.settings.json nor the output of `az functionapp config appsettings list --output json`")
	}
	values := map[string]string{}
	for _, s := range list {
		values[s.Name] = s.Value
	}
	return values, nil
}

// ReadSettings checks settings as the handler does when it starts.
func ReadSettings(values map[string]string) (config.Config, Finding) {
	environ := []string{"FUNCTIONS_CUSTOMHANDLER_PORT=1"} // the host sets it, nobody else
	for name, value := range values {
		environ = append(environ, name+"="+value)
	}
	f := Finding{Check: "settings", Result: OK}
	c, err := config.Load(environ)
	if err != nil {
		f.Result = Failed
		f.Detail, f.Hint, _ = strings.Cut(err.Error(), "\nhint: ")
	}
	return c, f
}

// Groups are the resource groups that the settings allow, where that can be known: a name is in one
// subscription.
func Groups(c config.Config) []string {
	subscriptions := c.AllowedSubscriptions
	if len(subscriptions) == 0 && c.SubscriptionID != "" {
		subscriptions = []string{c.SubscriptionID}
	}
	if len(subscriptions) != 1 {
		return nil
	}
	var ids []string
	for _, name := range c.AllowedResourceGroups {
		ids = append(ids, fmt.Sprintf("/subscriptions/%s/resourceGroups/%s", subscriptions[0], name))
	}
	slices.Sort(ids)
	return ids
}
