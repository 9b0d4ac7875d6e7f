// Package config is the handler's settings: every app setting, its default and its meaning, read once from the environment.
package config

import (
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"

	"goldmint/internal/build"
	"goldmint/internal/iso8601"
	"goldmint/internal/vmevent"
)

// LongestInvocation is the most that INVOCATION_TIMEOUT may be.
const LongestInvocation = 4 * time.Minute

// LongestLife is the most that an invocation takes from its arrival to its answer, the wait for its turn included. The
// host's functionTimeout and the queue's lock are 5 minutes.
const LongestLife = LongestInvocation + 30*time.Second

// Config is the handler's settings. The env tags are the names of the app settings; durations are ISO 8601 (PT24H).
type Config struct {
	Port int `env:"FUNCTIONS_CUSTOMHANDLER_PORT,required"` // set by the Functions host

	ServiceBus ServiceBus
	Requests   string `env:"REQUEST_QUEUE" envDefault:"image-requests"` // build requests and VM events, from anybody
	Builds     string `env:"BUILD_QUEUE" envDefault:"image-builds"`     // builds under way, from the function alone
	Topic      string `env:"EVENT_TOPIC" envDefault:"image-events"`     // completion events

	SubscriptionID string `env:"AZURE_SUBSCRIPTION_ID"`                                  // for requests that name none
	ClientID       string `env:"AZURE_CLIENT_ID"`                                        // user-assigned identity for Resource Manager
	ARMEndpoint    string `env:"ARM_ENDPOINT" envDefault:"https://management.azure.com"` // plain http on loopback only
	ARMAudience    string `env:"ARM_AUDIENCE" envDefault:"https://management.azure.com"` // of the token for Resource Manager
	EventSource    string `env:"EVENT_SOURCE" envDefault:"/goldmint"`                    // source of the published CloudEvents
	LogLevel       string `env:"LOG_LEVEL" envDefault:"info"`                            // debug, info, warn or error

	RateLimitStore *string `env:"RATE_LIMIT_STORE"` // container URL of the shared rate limits; by default ratelimit in the account of AzureWebJobsStorage; empty: this process's memory
	Storage        Storage

	AllowedSubscriptions  []string `env:"ALLOWED_SUBSCRIPTIONS"`   // that may be written, comma separated; all where empty
	AllowedResourceGroups []string `env:"ALLOWED_RESOURCE_GROUPS"` // that may be written, comma separated; all where empty

	VMEvents        string   `env:"VM_EVENTS" envDefault:"tagged"` // tagged (VMs tagged goldmint=capture), all or off
	VMResourceGroup string   `env:"VM_RESOURCE_GROUP"`             // of images of VMs without goldmint-resource-group; empty: the VM's own
	VMGalleryImage  string   `env:"VM_GALLERY_IMAGE"`              // gallery/definition of VMs without goldmint-gallery-image; empty: they become managed images
	VMZoneResilient bool     `env:"VM_ZONE_RESILIENT"`             // images of VMs without goldmint-zone-resilient
	VMCopyTags      []string `env:"VM_COPY_TAGS"`                  // tags of the VM that its image gets too, comma separated

	MaxWait           time.Duration `env:"MAX_WAIT" envDefault:"PT24H"`          // longest wait for ARM's allowance or for ARM to come back
	InvocationTimeout time.Duration `env:"INVOCATION_TIMEOUT" envDefault:"PT1M"` // longest work on one invocation, well inside functionTimeout
	MaxConcurrent     int           `env:"MAX_CONCURRENT" envDefault:"32"`       // invocations at work at once; more wait their turn
	PoisonDelivery    int           `env:"POISON_DELIVERY" envDefault:"5"`       // delivery count from which a message is poison
	Attempts          *int          `env:"BUILD_ATTEMPTS"`                       // creations ARM may accept for one build; unset: 3 of an image, 2 of a gallery image version

	LookAt          []time.Duration `env:"LOOK_AT" envDefault:"PT5.4S,PT10.55S,PT20.85S,PT36.3S,PT57.1S,PT60.5S,PT62.2S"`      // ages of an image's operation at which it is looked at
	VersionLookAt   []time.Duration `env:"VERSION_LOOK_AT" envDefault:"PT31.5S,PT46.5S,PT1M31.5S,PT2M31.5S,PT4M1.5S,PT6M1.5S"` // the same of a gallery image version
	VersionLookTick time.Duration   `env:"VERSION_LOOK_TICK" envDefault:"PT15S"`                                               // then as often, for ten minutes
	LookShare       float64         `env:"LOOK_SHARE" envDefault:"0.15"`                                                       // then look again after this share of the time spent
	LookMin         time.Duration   `env:"LOOK_MIN" envDefault:"PT5S"`                                                         // but not sooner
	LookMax         time.Duration   `env:"LOOK_MAX" envDefault:"PT30S"`                                                        // and not later
}

// ServiceBus is the connection of the host's own trigger: a connection string, or a namespace with managed identity.
type ServiceBus struct {
	ConnectionString string `env:"ServiceBusConnection"`                          // only where no managed identity is to be had
	Namespace        string `env:"ServiceBusConnection__fullyQualifiedNamespace"` // NAME.servicebus.windows.net
	Credential       string `env:"ServiceBusConnection__credential"`              // managedidentity, or empty
	ClientID         string `env:"ServiceBusConnection__clientId"`                // user-assigned identity
}

// Storage is the Functions host's own storage account, by managed identity.
type Storage struct {
	Account        string `env:"AzureWebJobsStorage__accountName"`
	BlobServiceURI string `env:"AzureWebJobsStorage__blobServiceUri"`
	ClientID       string `env:"AzureWebJobsStorage__clientId"` // user-assigned identity
}

// RateLimitContainer is the URL of the container that holds the rate limits, empty where they stay in this process's memory.
func (c Config) RateLimitContainer() string {
	switch {
	case c.RateLimitStore != nil:
		return strings.TrimSuffix(*c.RateLimitStore, "/")
	case c.Storage.BlobServiceURI != "":
		return strings.TrimSuffix(c.Storage.BlobServiceURI, "/") + "/ratelimit"
	case c.Storage.Account != "":
		return "https://" + c.Storage.Account + ".blob." + c.storageSuffix() + "/ratelimit"
	}
	return ""
}

// storageSuffix is the domain of storage accounts in the cloud of ARM_ENDPOINT.
func (c Config) storageSuffix() string {
	switch u, _ := url.Parse(c.ARMEndpoint); {
	case u != nil && strings.EqualFold(u.Hostname(), "management.usgovcloudapi.net"):
		return "core.usgovcloudapi.net"
	case u != nil && strings.EqualFold(u.Hostname(), "management.chinacloudapi.cn"):
		return "core.chinacloudapi.cn"
	}
	return "core.windows.net"
}

// Load reads the settings from the environment given as KEY=VALUE. The error lists every problem at once, one a line.
func Load(environ []string) (Config, error) {
	c, err := env.ParseAsWithOptions[Config](env.Options{
		Environment: env.ToMap(environ),
		FuncMap:     map[reflect.Type]env.ParserFunc{reflect.TypeFor[time.Duration](): parseDuration},
	})
	unread := spell(err)
	problems := slices.Clone(unread)
	for _, list := range []*[]string{&c.AllowedSubscriptions, &c.AllowedResourceGroups, &c.VMCopyTags} {
		*list = trimmed(*list)
	}
	for _, p := range c.check() {
		name, _, _ := strings.Cut(p, " ")
		if !slices.ContainsFunc(unread, func(q string) bool { return strings.HasPrefix(q, name+" ") }) {
			problems = append(problems, p)
		}
	}
	if len(problems) == 0 {
		return c, nil
	}
	return Config{}, fmt.Errorf("settings are not usable:\n  - %s\nhint: docs/settings.md lists every setting; in Azure they are the function app's app settings, locally local.settings.json",
		strings.Join(problems, "\n  - "))
}

// trimmed is a list without the spaces around its entries and without an empty last one. A list of nothing else stays one
// of an empty entry: an allow-list must not become none by a slip.
func trimmed(list []string) []string {
	var kept []string
	for _, entry := range list {
		kept = append(kept, strings.TrimSpace(entry))
	}
	if n := len(kept); n > 1 && kept[n-1] == "" {
		kept = kept[:n-1]
	}
	return kept
}

// Policy is the settings as the build knows them.
func (c Config) Policy() build.Policy {
	p := build.DefaultPolicy()
	p.MaxWait = c.MaxWait
	if c.Attempts != nil {
		p.Attempts, p.VersionAttempts = *c.Attempts, *c.Attempts
	}
	p.Versions.At, p.Versions.Every = c.VersionLookAt, c.VersionLookTick
	p.Images.At, p.Images.Share, p.Images.Min, p.Images.Max = c.LookAt, c.LookShare, c.LookMin, c.LookMax
	p.HandOver = c.InvocationTimeout
	return p
}

// VMPolicy is the settings as the work on VM events knows them.
func (c Config) VMPolicy() vmevent.Policy {
	return vmevent.Policy{
		Mode: vmevent.Mode(c.VMEvents), ResourceGroup: c.VMResourceGroup, GalleryImage: c.VMGalleryImage, ZoneResilient: c.VMZoneResilient, CopyTags: c.VMCopyTags,
		AllowedSubscriptions: c.AllowedSubscriptions, AllowedGroups: c.AllowedResourceGroups, MaxWait: c.MaxWait,
	}
}

// spell puts the library's errors into one line each.
func spell(err error) []string {
	var all env.AggregateError
	if !errors.As(err, &all) {
		if err != nil {
			return []string{err.Error()}
		}
		return nil
	}
	var problems []string
	for _, e := range all.Errors {
		var missing env.VarIsNotSetError
		if errors.As(e, &missing) {
			problems = append(problems, missing.Key+" is missing")
			continue
		}
		var unreadable env.ParseError
		if errors.As(e, &unreadable) {
			field, _ := reflect.TypeFor[Config]().FieldByName(unreadable.Name)
			problems = append(problems, fmt.Sprintf("%s cannot be read: %v", field.Tag.Get("env"), unreadable.Err))
			continue
		}
		problems = append(problems, e.Error())
	}
	return problems
}

func parseDuration(s string) (any, error) {
	d, err := iso8601.Parse(s)
	if err != nil {
		return nil, err
	}
	return d, nil
}
