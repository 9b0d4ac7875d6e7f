package doctor

import (
	"context"
	"fmt"
	"strings"
	"time"
)

type destination struct {
	Properties struct{ ResourceID string }
}

type eventSubscription struct {
	named
	Properties struct {
		ProvisioningState            string
		Destination                  destination
		DeliveryWithResourceIdentity struct{ Destination destination }
	}
}

// vmEvents looks for the event subscription that delivers to the queue of requests, and for what it
// could not deliver.
func (a app) vmEvents(ctx context.Context, report func(Finding)) error {
	if a.VMEvents == "off" {
		report(Finding{Result: OK, Detail: "VM_EVENTS is off"})
		return nil
	}
	var topics struct{ Value []named }
	if err := a.api.get(ctx, a.subscription+"/providers/Microsoft.EventGrid/systemTopics", eventGridAPI, &topics); err != nil {
		return err
	}
	queue := a.namespaceID + "/queues/" + a.Requests
	for _, topic := range topics.Value {
		var all struct{ Value []eventSubscription }
		if err := a.api.get(ctx, topic.ID+"/eventSubscriptions", eventGridAPI, &all); err != nil {
			return err
		}
		for _, s := range all.Value {
			to := s.Properties.Destination.Properties.ResourceID + s.Properties.DeliveryWithResourceIdentity.Destination.Properties.ResourceID
			if strings.EqualFold(to, queue) {
				return a.deliveries(ctx, topic, s, report)
			}
		}
	}
	report(Finding{Result: Failed, Detail: "no event subscription delivers to " + a.Requests, Hint: applyAgain})
	return nil
}

func (a app) deliveries(ctx context.Context, topic named, s eventSubscription, report func(Finding)) error {
	if s.Properties.ProvisioningState != "Succeeded" {
		report(Finding{Result: Failed, Detail: "event subscription " + s.Name + " is " + s.Properties.ProvisioningState, Hint: applyAgain})
		return nil
	}
	var metrics struct {
		Value []struct {
			Name       struct{ Value string }
			Timeseries []struct{ Data []struct{ Total float64 } }
		}
	}
	to := time.Now().UTC()
	span := to.Add(-24*time.Hour).Format(time.RFC3339) + "/" + to.Format(time.RFC3339)
	err := a.api.get(ctx, topic.ID+"/providers/Microsoft.Insights/metrics?metricnames=DeadLetteredCount,DroppedEventCount&aggregation=Total&interval=PT1H&timespan="+span, metricsAPI, &metrics)
	if err != nil {
		return err
	}
	lost := map[string]float64{}
	for _, metric := range metrics.Value {
		for _, series := range metric.Timeseries {
			for _, point := range series.Data {
				lost[metric.Name.Value] += point.Total
			}
		}
	}
	f := Finding{Result: OK, Detail: fmt.Sprintf("in 24 hours %.0f were stored undelivered, %.0f lost", lost["DeadLetteredCount"], lost["DroppedEventCount"])}
	if lost["DeadLetteredCount"]+lost["DroppedEventCount"] > 0 {
		f.Result, f.Hint = Failed, "Event Grid's identity needs Azure Service Bus Data Sender on "+a.Requests+"; the events are in the container undelivered-vm-events"
	}
	report(f)
	return nil
}
