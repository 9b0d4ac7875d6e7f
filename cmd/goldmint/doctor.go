package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/spf13/cobra"

	"goldmint/cmd/goldmint/internal/doctor"
	"goldmint/cmd/goldmint/internal/namespace"
	"goldmint/internal/azure"
	"goldmint/internal/config"
)

// doctorOptions are the flags of `goldmint doctor`.
type doctorOptions struct {
	connection
	settings           string
	app                string
	arm                string
	groups             []string
	galleries, sources []string
	parts              []string
	identity           string
	output             string
}

func newDoctor() *cobra.Command {
	var o doctorOptions
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Check a deployment: settings, entities, every right",
		Long: `Checks everything that Goldmint needs, with the rights of the person who runs it, and names each missing role. It changes
nothing: it sends, receives and locks no message, and only reads from Resource Manager.

The settings are those of the function app. They come from --settings, else from the environment. The namespace is found as
every command finds it ("goldmint help environment"), so a running "goldmint local" needs no settings. A flag goes before a
setting. It signs in as a managed identity where there is one (IDENTITY_ENDPOINT), else as you (az login, a workload identity).

The exit status is 0 when nothing is missing, 1 when something is missing, 2 for wrong usage or settings, and 4 when a service
cannot be reached.`,
		Example: `  az functionapp config appsettings list -g rg-goldmint-dev -n FUNCTION_APP -o json | goldmint doctor --settings -
  goldmint doctor --namespace sb-goldmint-dev-abc123 --as submitter
  goldmint doctor --settings settings.json --app $(az functionapp show -g rg-goldmint-dev -n FUNCTION_APP --query id -o tsv)
  goldmint doctor --settings dist/local.settings.json --resource-group /subscriptions/GUID/resourceGroups/rg-images`,
		Args: arguments(0, 0),
		RunE: func(c *cobra.Command, _ []string) error { return runDoctor(c, o) },
	}
	f := c.Flags()
	f.StringVar(&o.settings, "settings", "", "`file` of settings: local.settings.json, or what \"az functionapp config appsettings list\" prints; - is stdin (default: the environment)")
	o.addFlags(f)
	o.addQueueFlag(f)
	o.addTopicFlags(f)
	f.StringVar(&o.app, "app", "", "`id` of the function app: look at what Azure holds of the deployment too, which needs Reader")
	f.StringVar(&o.arm, "arm-endpoint", "", "Resource Manager (default: setting ARM_ENDPOINT)")
	f.StringArrayVar(&o.groups, "resource-group", nil, "`id` of a resource group that holds images (default: those that the settings allow)")
	f.StringArrayVar(&o.galleries, "gallery", nil, "with --app: `id` of a gallery that versions go to, or of an image definition in it")
	f.StringArrayVar(&o.sources, "gallery-source", nil, "with --app: `id` of a resource group, VM, disk or snapshot that versions are made from")
	f.StringSliceVar(&o.parts, "as", []string{"function", "submitter", "waiter"}, "whose `rights` to look for")
	addOneOf(f, &o.identity, "identity", "", "whose rights to use: yours, the managed identity's, or the latter's where there is one", "auto", "caller", "managed")
	addOutput(f, &o.output, "a list, or one JSON object", "text", "json")
	return c
}

const groupPattern = `(?i)^/subscriptions/[0-9a-f-]{36}/resourceGroups/[-\w._()]{1,90}`

var (
	groupID   = regexp.MustCompile(groupPattern + `$`)
	appID     = regexp.MustCompile(groupPattern + `/providers/Microsoft\.Web/sites/[-\w]+$`)
	galleryID = regexp.MustCompile(groupPattern + `/providers/Microsoft\.Compute/galleries/[\w.]+(/images/[-\w.]+)?$`)
	sourceID  = regexp.MustCompile(groupPattern + `(/providers/Microsoft\.Compute/(virtualMachines|disks|snapshots)/[-\w.]+)?$`)
)

func (o doctorOptions) check() error {
	for _, p := range o.parts {
		switch doctor.Part(p) {
		case doctor.Function, doctor.Submitter, doctor.Waiter:
		default:
			return fmt.Errorf("--as is %q: use function, submitter or waiter", p)
		}
	}
	if o.app == "" && len(o.galleries)+len(o.sources) > 0 {
		return errors.New("--gallery and --gallery-source are looked at with --app: give the id of the function app too")
	}
	for _, given := range []struct {
		flag string
		ids  []string
		form *regexp.Regexp
		want string
	}{
		{"--app", strings.Fields(o.app), appID, "its id, which az functionapp show -g GROUP -n NAME --query id -o tsv prints"},
		{"--resource-group", o.groups, groupID, "its id, /subscriptions/GUID/resourceGroups/NAME"},
		{"--gallery", o.galleries, galleryID, "its id, which az sig show -g GROUP -r NAME --query id -o tsv prints"},
		{"--gallery-source", o.sources, sourceID, "the id of a resource group, VM, disk or snapshot"},
	} {
		for _, id := range given.ids {
			if !given.form.MatchString(id) {
				return fmt.Errorf("%s is %q: give %s", given.flag, id, given.want)
			}
		}
	}
	return nil
}

func runDoctor(c *cobra.Command, o doctorOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	values, err := o.values(c.InOrStdin())
	if err != nil {
		return err
	}
	address, err := o.overlay(values, c.Flags().Changed)
	if err != nil && (o.settings == "" || o.connectionString+o.namespace != "") {
		return err // otherwise a finding reports it, with all other problems of the settings
	}
	sheet := &sheet{out: c.OutOrStdout(), json: o.output == "json"}
	settings, finding := doctor.ReadSettings(values)
	sheet.add(finding)
	if finding.Result == doctor.OK {
		if err != nil {
			return err
		}
		if err := o.examine(c.Context(), settings, values, address, sheet); err != nil {
			return err
		}
	}
	return sheet.end(finding.Result == doctor.OK)
}

func (o doctorOptions) examine(ctx context.Context, settings config.Config, values map[string]string, address namespace.Address, sheet *sheet) error {
	d, err := o.deployment(settings, address)
	if err != nil {
		return err
	}
	d.Settings = values
	defer func() { _ = d.Bus.Close(context.WithoutCancel(ctx)) }()
	d.Examine(ctx, sheet.add)
	if ctx.Err() != nil {
		return errInterrupted
	}
	return nil
}

// values are the settings, from the file if there is one, otherwise from the environment.
func (o doctorOptions) values(stdin io.Reader) (map[string]string, error) {
	if o.settings != "" {
		text, err := readSettings(o.settings, stdin)
		if err != nil {
			return nil, err
		}
		values, err := doctor.ParseSettings(text)
		if err != nil {
			return nil, fmt.Errorf("--settings %s: %w", o.settings, err)
		}
		return values, nil
	}
	values := map[string]string{}
	for _, entry := range os.Environ() {
		name, value, _ := strings.Cut(entry, "=")
		values[name] = value
	}
	return values, nil
}

// overlay replaces settings with the flags, and with the namespace of the flags or of the command's
// own variables.
func (o doctorOptions) overlay(values map[string]string, given func(flag string) bool) (namespace.Address, error) {
	for flag, s := range map[string]struct{ name, value string }{
		"request-queue": {"REQUEST_QUEUE", o.queue}, "topic": {"EVENT_TOPIC", o.topic}, "arm-endpoint": {"ARM_ENDPOINT", o.arm},
	} {
		if given(flag) {
			values[s.name] = s.value
		}
	}
	if o.settings == "" {
		o.addLocal(values)
	}
	for _, name := range []string{"IDENTITY_ENDPOINT", "IDENTITY_HEADER"} { // where the Azure SDK looks for them
		if value := values[name]; value != "" {
			if err := os.Setenv(name, value); err != nil {
				return namespace.Address{}, err
			}
		}
	}
	address, err := o.find(func(name string) string { return values[name] })
	if err == nil && !address.OfApp() {
		values[namespace.AppConnectionString], values[namespace.AppNamespace] = address.ConnectionString, ""
		if address.ConnectionString == "" {
			values[namespace.AppNamespace] = address.Host
		}
	}
	return address, err
}

// addLocal adds the settings of the local Azure that runs here, where nothing else names a
// namespace.
func (o doctorOptions) addLocal(values map[string]string) {
	_, err := namespace.Find(o.connectionString, o.namespace, func(name string) string { return values[name] })
	if running, ok := findLocal(); ok && errors.Is(err, namespace.ErrNoAddress) {
		for name, value := range running.Settings {
			values[name] = cmp.Or(values[name], value)
		}
	}
}

func readSettings(file string, stdin io.Reader) ([]byte, error) {
	if file == "-" {
		return io.ReadAll(stdin)
	}
	return os.ReadFile(file)
}

func (o doctorOptions) deployment(c config.Config, address namespace.Address) (doctor.Deployment, error) {
	d := doctor.Deployment{
		Requests: c.Requests, Builds: c.Builds, Topic: c.Topic, History: o.subscription, Namespace: address,
		ARMEndpoint: c.ARMEndpoint, ARMAudience: c.ARMAudience, ResourceGroups: o.groups,
		App: o.app, VMEvents: c.VMEvents, VMGalleryImage: c.VMGalleryImage, Galleries: o.galleries, GallerySources: o.sources,
	}
	for _, p := range o.parts {
		d.Parts = append(d.Parts, doctor.Part(p))
	}
	if len(d.ResourceGroups) == 0 {
		d.ResourceGroups = withoutGalleries(doctor.Groups(c), o.galleries)
	}
	var err error
	if d.ARMCredential, err = o.credential(c.ClientID); err != nil {
		return d, err
	}
	options := &azservicebus.ClientOptions{ApplicationID: "goldmint-doctor", RetryOptions: azservicebus.RetryOptions{MaxRetries: -1}}
	if text := address.ConnectionString; text != "" {
		d.Bus, err = azservicebus.NewClientFromConnectionString(text, options)
		return d, err
	}
	if d.BusCredential, err = o.credential(c.ServiceBus.ClientID); err != nil {
		return d, err
	}
	d.Bus, err = azservicebus.NewClient(address.Host, d.BusCredential, options)
	return d, err
}

// withoutGalleries leaves out the groups of the named galleries: the settings allow them for
// versions, which do not need the role on images.
func withoutGalleries(groups, galleries []string) []string {
	return slices.DeleteFunc(groups, func(group string) bool {
		return slices.ContainsFunc(galleries, func(id string) bool {
			return strings.HasPrefix(strings.ToLower(id), strings.ToLower(group)+"/")
		})
	})
}

// credential is a managed identity's, or the caller's own.
func (o doctorOptions) credential(clientID string) (azcore.TokenCredential, error) {
	if o.identity == "managed" || o.identity == "auto" && os.Getenv("IDENTITY_ENDPOINT") != "" {
		return azure.Identity(clientID)
	}
	return azidentity.NewDefaultAzureCredential(nil)
}
