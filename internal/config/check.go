package config

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"goldmint/internal/armid"
	"goldmint/internal/build"
	"goldmint/internal/iso8601"
)

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

// ages holds that each look comes a while after the one before: a build has a million continuations.
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

// check holds what types cannot say.
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

const maxEventSource = 1024 // in every event, far below its MaxBytes

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
	p.within("LOOK_MIN", c.LookMin, 100*time.Millisecond, c.LookMax) // a build has a million continuations
	p.within("LOOK_MAX", c.LookMax, c.LookMin, 10*time.Minute)
	p.add(!(c.LookShare >= 0 && c.LookShare <= 1), "LOOK_SHARE is %g, not between 0 and 1", c.LookShare) // NaN is neither
	p.add(c.MaxConcurrent < 1, "MAX_CONCURRENT is %d: use 1 or more", c.MaxConcurrent)
	p.add(c.PoisonDelivery < 2 || c.PoisonDelivery > 50, "POISON_DELIVERY is %d, not between 2 and 50: the queues give up at 100 deliveries", c.PoisonDelivery)
	if c.Attempts != nil {
		p.add(*c.Attempts < 1 || *c.Attempts > build.MostAttempts, "BUILD_ATTEMPTS is %d, not between 1 and %d", *c.Attempts, build.MostAttempts)
	}
}

// checkEndpoint allows https anywhere and plain http on a loopback address only, so that no token travels in the clear.
func checkEndpoint(endpoint string) error {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || strings.Trim(u.Path, "/") != "" {
		return fmt.Errorf("%q is not an endpoint such as https://management.azure.com", endpoint)
	}
	return checkScheme(u)
}

// checkContainer holds the same of a container's URL. A shared access signature has no place in it.
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
