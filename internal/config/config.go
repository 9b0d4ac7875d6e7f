// Package config is the handler's settings: every app setting with its default and its meaning.
// They are read once, from the environment.
package config

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"

	"goldmint/internal/armid"
	"goldmint/internal/build"
	"goldmint/internal/iso8601"
	"goldmint/internal/vmevent"
)

// LongestInvocation is the largest value of INVOCATION_TIMEOUT.
const LongestInvocation = 4 * time.Minute

// LongestLife is the longest time from an invocation's arrival to its answer, including the wait
// for its turn. The host's functionTimeout and the queue's lock are 5 minutes.
const LongestLife = LongestInvocation + 30*time.Second

// Config is the handler's settings. The env tags are the names of the app settings; durations are
// ISO 8601 (PT24H).
type Config struct {
	Port int `env:"FUNCTIONS_CUSTOMHANDLER_PORT,required"` // set by the Functions host

	ServiceBus ServiceBus
	Requests   string `env:"REQUEST_QUEUE" envDefault:"image-requests"` // build requests and VM events, from anybody
	Builds     string `env:"BUILD_QUEUE" envDefault:"image-builds"`     // builds under way, from the function alone
	Topic      string `env:"EVENT_TOPIC" envDefault:"image-events"`     // events about builds

	SubscriptionID string `env:"AZURE_SUBSCRIPTION_ID"`                                  // for requests without a subscription
	ClientID       string `env:"AZURE_CLIENT_ID"`                                        // user-assigned identity for Resource Manager
	ARMEndpoint    string `env:"ARM_ENDPOINT" envDefault:"https://management.azure.com"` // plain http on loopback only
	ARMAudience    string `env:"ARM_AUDIENCE" envDefault:"https://management.azure.com"` // of the token for Resource Manager
	EventSource    string `env:"EVENT_SOURCE" envDefault:"/goldmint"`                    // source of the published CloudEvents
	LogLevel       string `env:"LOG_LEVEL" envDefault:"info"`                            // debug, info, warn or error

	RateLimitStore *string `env:"RATE_LIMIT_STORE"` // container URL of the shared rate limits; by default the container ratelimit in the account of AzureWebJobsStorage; empty: this process's memory
	Storage        Storage

	AllowedSubscriptions  []string `env:"ALLOWED_SUBSCRIPTIONS"`   // where images may be made, comma separated; all where empty
	AllowedResourceGroups []string `env:"ALLOWED_RESOURCE_GROUPS"` // where images may be made, comma separated; all where empty

	VMEvents        string   `env:"VM_EVENTS" envDefault:"tagged"` // tagged (VMs tagged goldmint=capture), all or off
	VMResourceGroup string   `env:"VM_RESOURCE_GROUP"`             // of images of VMs without goldmint-resource-group; empty: the VM's own
	VMGalleryImage  string   `env:"VM_GALLERY_IMAGE"`              // gallery/definition of VMs without goldmint-gallery-image; empty: they become managed images
	VMZoneResilient bool     `env:"VM_ZONE_RESILIENT"`             // images of VMs without goldmint-zone-resilient
	VMCopyTags      []string `env:"VM_COPY_TAGS"`                  // tags of the VM that its image gets too, comma separated

	MaxWait           time.Duration `env:"MAX_WAIT" envDefault:"PT24H"`          // longest wait for ARM's rate limit or for ARM to be available
	InvocationTimeout time.Duration `env:"INVOCATION_TIMEOUT" envDefault:"PT1M"` // longest work on one invocation, well inside functionTimeout
	MaxConcurrent     int           `env:"MAX_CONCURRENT" envDefault:"32"`       // invocations at work at once; more wait their turn
	PoisonDelivery    int           `env:"POISON_DELIVERY" envDefault:"5"`       // delivery count from which a message is poison
	Attempts          *int          `env:"BUILD_ATTEMPTS"`                       // creations ARM may accept for one build; unset: 3 of an image, 2 of a gallery image version

	LookAt          []time.Duration `env:"LOOK_AT" envDefault:"PT5.4S,PT10.55S,PT20.85S,PT36.3S,PT57S,PT58.7S,PT1M0.4S,PT1M2.1S"` // ages of an image's operation at which it is looked at
	VersionLookAt   []time.Duration `env:"VERSION_LOOK_AT" envDefault:"PT31.5S,PT46.5S,PT1M31.5S,PT2M31.5S,PT4M1.5S,PT6M1.5S"`    // the same for a gallery image version
	VersionLookTick time.Duration   `env:"VERSION_LOOK_TICK" envDefault:"PT15S"`                                                  // then at this interval, for ten minutes
	LookShare       float64         `env:"LOOK_SHARE" envDefault:"0.15"`                                                          // then look again after this share of the time spent
	LookMin         time.Duration   `env:"LOOK_MIN" envDefault:"PT5S"`                                                            // but not sooner
	LookMax         time.Duration   `env:"LOOK_MAX" envDefault:"PT30S"`                                                           // and not later
}

// ServiceBus is the connection of the host's own trigger: a connection string, or a namespace with
// managed identity.
type ServiceBus struct {
	ConnectionString string `env:"ServiceBusConnection"`                          // only where there is no managed identity
	Namespace        string `env:"ServiceBusConnection__fullyQualifiedNamespace"` // NAME.servicebus.windows.net
	Credential       string `env:"ServiceBusConnection__credential"`              // managedidentity, or empty
	ClientID         string `env:"ServiceBusConnection__clientId"`                // user-assigned identity
}

// Storage is the Functions host's own storage account, with managed identity.
type Storage struct {
	Account        string `env:"AzureWebJobsStorage__accountName"`
	BlobServiceURI string `env:"AzureWebJobsStorage__blobServiceUri"`
	ClientID       string `env:"AzureWebJobsStorage__clientId"` // user-assigned identity
}

// RateLimitContainer is the URL of the container with the rate limits, empty where they stay in
// this process's memory.
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

// Load reads the settings from the environment given as KEY=VALUE. The error lists every problem at
// once, one a line.
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

// trimmed is a list without the spaces around its entries and without an empty last entry. A list
// of one empty entry stays as it is, because an allow-list must not vanish by a mistake.
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

// Policy is the settings of a build.
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

// VMPolicy is the settings of the work on VM events.
func (c Config) VMPolicy() vmevent.Policy {
	return vmevent.Policy{
		Mode: vmevent.Mode(c.VMEvents), ResourceGroup: c.VMResourceGroup, GalleryImage: c.VMGalleryImage, ZoneResilient: c.VMZoneResilient, CopyTags: c.VMCopyTags,
		AllowedSubscriptions: c.AllowedSubscriptions, AllowedGroups: c.AllowedResourceGroups, MaxWait: c.MaxWait,
	}
}

// spell writes each of the library's errors on one line.
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

// problems collects what is wrong with settings, each starting with the setting's name.
type problems []string

func (p *problems) add(bad bool, format string, args ...any) {
	if bad {
		*p = append(*p, fmt.Sprintf(format, args...))
	}
}

func (p *problems) within(name string, d, low, high time.Duration) {
	p.add(d < low || d > high, "%s is %s, not between %s and %s", name, iso8601.Format(d), iso8601.Format(low), iso8601.Format(high))
}

// ages checks that each look comes a while after the one before, because a build may have at most a
// million continuations.
func (p *problems) ages(name string, ages []time.Duration) {
	last := time.Duration(0)
	for _, a := range ages {
		if a < last+100*time.Millisecond || a > time.Hour {
			p.add(true, "%s holds %s, which is not a tenth of a second to an hour, and that much after the one before", name, iso8601.Format(a))
		}
		last = a
	}
	p.add(len(ages) == 0, "%s is empty", name)
}

// check holds the rules that types cannot express.
func (c Config) check() []string {
	var p problems
	p.add(c.Port < 1 || c.Port > 65535, "FUNCTIONS_CUSTOMHANDLER_PORT is %d, not a port", c.Port)
	c.ServiceBus.check(&p)
	c.checkNames(&p)
	c.checkAllowed(&p)
	c.checkBounds(&p)
	return p
}

func (s ServiceBus) check(p *problems) {
	p.add(s.ConnectionString == "" && s.Namespace == "", "ServiceBusConnection is missing: set it to a connection string, or set ServiceBusConnection__fullyQualifiedNamespace for managed identity")
	p.add(s.ConnectionString != "" && s.Namespace != "", "ServiceBusConnection and ServiceBusConnection__fullyQualifiedNamespace are both set: keep one")
	p.add(s.ConnectionString != "" && !strings.Contains(s.ConnectionString, "Endpoint="), "ServiceBusConnection is not a connection string (Endpoint=sb://…;SharedAccessKeyName=…;SharedAccessKey=…)")
	p.add(strings.ContainsAny(s.Namespace, "/: "), "ServiceBusConnection__fullyQualifiedNamespace is a host name such as NAME.servicebus.windows.net, without sb:// or a port")
	p.add(s.Credential != "" && !strings.EqualFold(s.Credential, "managedidentity"), "ServiceBusConnection__credential is %q: only managedidentity is known", s.Credential)
}

// entityName is Service Bus's rule for the names of queues and topics.
var entityName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._/-]{0,258}[A-Za-z0-9])?$`)

const maxEventSource = 1024 // every event has it, so it stays far below event.MaxBytes

func (c Config) checkNames(p *problems) {
	p.add(!entityName.MatchString(c.Requests), "REQUEST_QUEUE is %q, not the name of a queue", c.Requests)
	p.add(!entityName.MatchString(c.Builds), "BUILD_QUEUE is %q, not the name of a queue", c.Builds)
	p.add(strings.EqualFold(c.Requests, c.Builds), "REQUEST_QUEUE and BUILD_QUEUE are both %q: senders of requests must not be able to write builds", c.Builds)
	p.add(!entityName.MatchString(c.Topic), "EVENT_TOPIC is %q, not the name of a topic", c.Topic)
	p.add(c.SubscriptionID != "" && !armid.IsGUID(c.SubscriptionID), "AZURE_SUBSCRIPTION_ID is %q, not a GUID", c.SubscriptionID)
	if err := checkEndpoint(c.ARMEndpoint); err != nil {
		p.add(true, "ARM_ENDPOINT: %v", err)
	}
	if err := checkContainer(c.RateLimitContainer()); err != nil {
		p.add(true, "RATE_LIMIT_STORE: %v", err)
	}
	audience, err := url.Parse(c.ARMAudience)
	p.add(err != nil || audience.Scheme == "" || audience.Host == "", "ARM_AUDIENCE is %q, not a URL such as https://management.azure.com", c.ARMAudience)
	_, err = url.Parse(c.EventSource)
	p.add(err != nil || len(c.EventSource) > maxEventSource || strings.ContainsAny(c.EventSource, " <>\"{}|\\^`"), "EVENT_SOURCE is %q, not a URI or a path of one", c.EventSource)
}

// galleryImage is Azure's rule for the names of a gallery and of an image definition.
var galleryImage = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9_.]{0,78}[A-Za-z0-9])?/[A-Za-z0-9]([A-Za-z0-9_.-]{0,78}[A-Za-z0-9_])?$`)

func (c Config) checkAllowed(p *problems) {
	for _, s := range c.AllowedSubscriptions {
		p.add(!armid.IsGUID(s), "ALLOWED_SUBSCRIPTIONS holds %q, not a GUID", s)
	}
	for _, g := range c.AllowedResourceGroups {
		p.add(!armid.ValidGroup(g), "ALLOWED_RESOURCE_GROUPS holds %q, not the name of a resource group", g)
	}
	p.add(c.VMGalleryImage != "" && !galleryImage.MatchString(c.VMGalleryImage), "VM_GALLERY_IMAGE is %q, not the names gallery/definition", c.VMGalleryImage)
	p.add(c.VMResourceGroup != "" && !armid.ValidGroup(c.VMResourceGroup), "VM_RESOURCE_GROUP is %q, not the name of a resource group", c.VMResourceGroup)
}

func (c Config) checkBounds(p *problems) {
	p.add(!slices.Contains([]string{"debug", "info", "warn", "error"}, c.LogLevel), "LOG_LEVEL is %q: use debug, info, warn or error", c.LogLevel)
	p.add(!slices.Contains([]string{"tagged", "all", "off"}, c.VMEvents), "VM_EVENTS is %q: use tagged, all or off", c.VMEvents)
	p.within("MAX_WAIT", c.MaxWait, time.Minute, build.LongestWait)
	p.within("INVOCATION_TIMEOUT", c.InvocationTimeout, 10*time.Second, LongestInvocation)
	p.ages("LOOK_AT", c.LookAt)
	p.ages("VERSION_LOOK_AT", c.VersionLookAt)
	p.within("VERSION_LOOK_TICK", c.VersionLookTick, 100*time.Millisecond, time.Hour)
	p.within("LOOK_MIN", c.LookMin, 100*time.Millisecond, c.LookMax) // a build may have at most a million continuations
	p.within("LOOK_MAX", c.LookMax, c.LookMin, 10*time.Minute)
	p.add(!(c.LookShare >= 0 && c.LookShare <= 1), "LOOK_SHARE is %g, not between 0 and 1", c.LookShare) // NaN is neither
	p.add(c.MaxConcurrent < 1, "MAX_CONCURRENT is %d: use 1 or more", c.MaxConcurrent)
	p.add(c.PoisonDelivery < 2 || c.PoisonDelivery > 50, "POISON_DELIVERY is %d, not between 2 and 50: the queues give up at 100 deliveries", c.PoisonDelivery)
	if c.Attempts != nil {
		p.add(*c.Attempts < 1 || *c.Attempts > build.MostAttempts, "BUILD_ATTEMPTS is %d, not between 1 and %d", *c.Attempts, build.MostAttempts)
	}
}

// checkEndpoint allows https anywhere and plain http on a loopback address only, so that no token
// travels in the clear.
func checkEndpoint(endpoint string) error {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || strings.Trim(u.Path, "/") != "" {
		return fmt.Errorf("%q is not an endpoint such as https://management.azure.com", endpoint)
	}
	return checkScheme(u)
}

// checkContainer applies the same rule to a container's URL, and refuses a shared access signature
// in it.
func checkContainer(container string) error {
	if container == "" {
		return nil
	}
	u, err := url.Parse(container)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") == "" {
		return errors.New("not the URL of a container such as https://account.blob.core.windows.net/ratelimit, without a signature")
	}
	return checkScheme(u)
}

func checkScheme(u *url.URL) error {
	if u.Scheme == "https" {
		return nil
	}
	if ip, err := netip.ParseAddr(u.Hostname()); u.Scheme == "http" && err == nil && ip.IsLoopback() {
		return nil
	}
	return fmt.Errorf("%q must be https (plain http is for a loopback address)", u.Redacted())
}
