package doctor

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"goldmint/cmd/goldmint/internal/namespace"
)

// Versions of the APIs that a Reader of the deployment asks.
const (
	webAPI       = "2024-04-01"
	busAPI       = "2021-11-01"
	storageAPI   = "2023-05-01"
	eventGridAPI = "2022-06-15"
	providersAPI = "2021-04-01"
	rolesAPI     = "2022-04-01"
	metricsAPI   = "2018-01-01"
)

// Fixes that more than one check names.
const (
	applyAgain = "run infra/deploy.sh apply ENV again; role assignments then take up to ten minutes"
	askReader  = "needs Reader on the deployment's resource group and the galleries, and on the subscription for roles and providers"
)

// Providers are those that infra/versions.tf registers, but for Microsoft.Network, which a private
// network alone needs.
func Providers() []string {
	return []string{
		"Microsoft.App", "Microsoft.Compute", "Microsoft.EventGrid", "Microsoft.Insights", "Microsoft.ManagedIdentity",
		"Microsoft.OperationalInsights", "Microsoft.ServiceBus", "Microsoft.Storage", "Microsoft.Web",
	}
}

// app looks at what Azure holds of a deployment, over Resource Manager and with no more than
// Reader.
type app struct {
	Deployment
	api                 manager
	subscription, group string
	namespaceID, name   string
}

type appCheck struct {
	name string
	look func(context.Context, func(Finding)) error
}

// examineApp makes the checks that need the function app's id.
func (d Deployment) examineApp(ctx context.Context, report func(Finding)) {
	parts := strings.Split(d.App, "/") // "", subscriptions, SUB, resourceGroups, GROUP, …
	a := app{
		Deployment: d, api: newManager(d.ARMEndpoint, d.ARMAudience, d.ARMCredential),
		subscription: strings.Join(parts[:3], "/"), group: strings.Join(parts[:5], "/"), name: parts[len(parts)-1],
	}
	host, _, _ := strings.Cut(d.Namespace.Host, ".")
	a.namespaceID = a.group + "/providers/Microsoft.ServiceBus/namespaces/" + host
	checks := []appCheck{
		{"functions of " + a.name, a.functions},
		{"app settings of " + a.name, a.settings},
		{"roles of the function's identity", a.roles},
		{"messages in " + d.Requests, a.queue(d.Requests)},
		{"messages in " + d.Builds, a.queue(d.Builds)},
		{"container " + rateContainer, a.container},
		{"VM events", a.vmEvents},
		{"resource providers", a.providers},
	}
	for _, check := range append(checks, a.galleries()...) {
		bounded, cancel := context.WithTimeout(ctx, checkTimeout)
		err := check.look(bounded, func(f Finding) {
			f.Check = check.name
			report(f)
		})
		cancel()
		if err != nil {
			report(notSeen(check.name, err))
		}
	}
	report(Finding{
		Check: "the rest", Result: Unknown, Detail: "whether the host starts the handler, whether Event Grid gets through firewalls, whether alerts reach anybody",
		Hint: "no reader can see these: docs/first-deployment.md says how to try each",
	})
}

// notSeen is the finding for a check that Resource Manager did not answer.
func notSeen(check string, err error) Finding {
	switch {
	case isStatus(err, http.StatusForbidden):
		return Finding{Check: check, Result: Unknown, Detail: "this identity may not see it", Hint: askReader}
	case isStatus(err, http.StatusNotFound):
		return Finding{Check: check, Result: Failed, Detail: "is not there", Hint: "check --app and --namespace; " + applyAgain}
	}
	return Finding{Check: check, Result: Unreachable, Detail: namespace.Brief(err), Hint: "try again; check ARM_ENDPOINT, and that it can be reached from here"}
}

// none is OK where there are no such things, else the failure that they are.
func none(bad []string, detail, hint string) Finding {
	if len(bad) == 0 {
		return Finding{Result: OK}
	}
	return Finding{Result: Failed, Detail: detail, Hint: hint}
}

// script is the command of the deployment's script that mends the app.
func (a app) script(verb string) string {
	parts := strings.Split(a.App, "/")
	return fmt.Sprintf("infra/app.sh %s %s %s %s", verb, parts[2], parts[4], a.name)
}

type named struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// functions are listed once the triggers have been synced. Until then no message wakes the app.
func (a app) functions(ctx context.Context, report func(Finding)) error {
	var listed struct{ Value []named }
	if err := a.api.get(ctx, a.App+"/functions", webAPI, &listed); err != nil {
		return err
	}
	var missing []string
	for _, want := range []string{"take-request", "build-image"} {
		if !slices.ContainsFunc(listed.Value, func(f named) bool { return strings.HasSuffix("/"+f.Name, "/"+want) }) {
			missing = append(missing, want)
		}
	}
	report(none(missing, "not listed: "+strings.Join(missing, ", ")+"; no message wakes the app", a.script("sync")))
	return nil
}

// settings looks for what the Terraform provider leaves behind. Reader does not suffice to list
// them.
func (a app) settings(ctx context.Context, report func(Finding)) error {
	var listed struct{ Properties map[string]string }
	err := a.api.do(ctx, http.MethodPost, a.App+"/config/appsettings/list", webAPI, &listed)
	values := listed.Properties
	if isStatus(err, http.StatusForbidden) && a.Settings["AzureWebJobsStorage__accountName"] != "" {
		values, err = a.Settings, nil
	}
	if isStatus(err, http.StatusForbidden) {
		report(Finding{
			Result: Unknown, Detail: "Reader may not list them",
			Hint: "as Website Contributor: az functionapp config appsettings list … | goldmint doctor --settings - --app …",
		})
		return nil
	}
	if err != nil {
		return err
	}
	var stray []string
	for _, name := range []string{"AzureWebJobsStorage", "DEPLOYMENT_STORAGE_CONNECTION_STRING"} {
		if value, set := values[name]; set {
			if name == "AzureWebJobsStorage" && value == "" {
				name += " (empty)"
			}
			stray = append(stray, name)
		}
	}
	report(none(stray, "holds "+strings.Join(stray, " and ")+": the host takes it for a connection string", a.script("clean")))
	return nil
}

// queue counts a queue's messages. Dead letters wait for somebody.
func (a app) queue(name string) func(context.Context, func(Finding)) error {
	return func(ctx context.Context, report func(Finding)) error {
		var queue struct {
			Properties struct {
				Status       string
				CountDetails struct{ ActiveMessageCount, ScheduledMessageCount, DeadLetterMessageCount int }
			}
		}
		if err := a.api.get(ctx, a.namespaceID+"/queues/"+name, busAPI, &queue); err != nil {
			return err
		}
		count := queue.Properties.CountDetails
		f := Finding{Result: OK, Detail: fmt.Sprintf("%d active, %d scheduled, %d dead letters", count.ActiveMessageCount, count.ScheduledMessageCount, count.DeadLetterMessageCount)}
		switch {
		case queue.Properties.Status != "Active":
			f.Result, f.Hint = Failed, "az servicebus queue update --status Active --ids "+a.namespaceID+"/queues/"+name
			f.Detail = "its status is " + queue.Properties.Status + "; " + f.Detail
		case count.DeadLetterMessageCount > 0:
			f.Result, f.Hint = Failed, "goldmint dead-letters list, then resubmit or discard"
		}
		report(f)
		return nil
	}
}

// rateContainer holds a document for each region's rate limits.
const rateContainer = "ratelimit"

func (a app) container(ctx context.Context, report func(Finding)) error {
	account, err := a.storageAccount(ctx)
	if err != nil {
		return err
	}
	err = a.api.get(ctx, account+"/blobServices/default/containers/"+rateContainer, storageAPI, nil)
	if isStatus(err, http.StatusNotFound) {
		report(Finding{Result: Failed, Detail: "is not there: each instance paces creations by what it saw itself", Hint: applyAgain})
		return nil
	}
	if err == nil {
		report(Finding{Result: OK})
	}
	return err
}

// storageAccount is the one that the settings name, else the only one of the group.
func (a app) storageAccount(ctx context.Context) (string, error) {
	if name := a.Settings["AzureWebJobsStorage__accountName"]; name != "" {
		return a.group + "/providers/Microsoft.Storage/storageAccounts/" + name, nil
	}
	var accounts struct{ Value []named }
	if err := a.api.get(ctx, a.group+"/providers/Microsoft.Storage/storageAccounts", storageAPI, &accounts); err != nil {
		return "", err
	}
	if len(accounts.Value) != 1 {
		return "", fmt.Errorf("the resource group has %d storage accounts: give the settings with --settings", len(accounts.Value))
	}
	return accounts.Value[0].ID, nil
}

func (a app) providers(ctx context.Context, report func(Finding)) error {
	var missing []string
	for _, name := range Providers() {
		var provider struct{ RegistrationState string }
		if err := a.api.get(ctx, a.subscription+"/providers/"+name, providersAPI, &provider); err != nil {
			return err
		}
		if provider.RegistrationState != "Registered" {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		report(Finding{Result: OK})
		return nil
	}
	report(Finding{Result: Failed, Detail: "not registered: " + strings.Join(missing, ", "), Hint: "az provider register --wait -n " + missing[0]})
	return nil
}
