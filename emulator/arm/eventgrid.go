package arm

import (
	"encoding/json"
	"strconv"
	"time"
)

// principalID is the caller in answers and events. It is made up.
const principalID = "33333333-3333-3333-3333-333333333333"

// Action is an action on a VM that has ended, well or not.
type Action struct {
	ID              string // the event's own, stable over deliveries
	Operation       string // such as Microsoft.Compute/virtualMachines/generalize/action
	ResourceID      string // of the VM
	SubscriptionID  string
	CorrelationID   string
	ClientRequestID string
	ClientIP        string
	Method, URL     string
	Status          string    // Succeeded or Failed
	Started, Ended  time.Time // the same for generalize, which is synchronous
}

// actionData is the data of ResourceActionSuccess and ResourceActionFailure, its members in the
// documented order.
type actionData struct {
	Authorization    actionAuthorization `json:"authorization"`
	Claims           map[string]string   `json:"claims"`
	CorrelationID    string              `json:"correlationId"`
	HTTPRequest      actionRequest       `json:"httpRequest"`
	ResourceProvider string              `json:"resourceProvider"`
	ResourceURI      string              `json:"resourceUri"`
	OperationName    string              `json:"operationName"`
	Status           string              `json:"status"`
	SubscriptionID   string              `json:"subscriptionId"`
	TenantID         string              `json:"tenantId"`
}

type actionAuthorization struct {
	Scope    string            `json:"scope"`
	Action   string            `json:"action"`
	Evidence map[string]string `json:"evidence"`
}

type actionRequest struct {
	ClientRequestID string `json:"clientRequestId"`
	ClientIPAddress string `json:"clientIpAddress"`
	Method          string `json:"method"`
	URL             string `json:"url"`
}

// EventGrid is the event as Event Grid delivers it in its own schema: one JSON object, not a list.
func (a Action) EventGrid() []byte {
	return a.marshal(struct {
		Topic           string     `json:"topic"`
		Subject         string     `json:"subject"`
		EventType       string     `json:"eventType"`
		ID              string     `json:"id"`
		Data            actionData `json:"data"`
		DataVersion     string     `json:"dataVersion"`
		MetadataVersion string     `json:"metadataVersion"`
		EventTime       string     `json:"eventTime"`
	}{a.topic(), a.ResourceID, a.eventType(), a.ID, a.data(), "2", "1", a.eventTime()})
}

// CloudEvent is the event as Event Grid delivers it in the CloudEvents 1.0 schema, structured.
func (a Action) CloudEvent() []byte {
	return a.marshal(struct {
		ID          string     `json:"id"`
		Source      string     `json:"source"`
		Subject     string     `json:"subject"`
		Type        string     `json:"type"`
		Time        string     `json:"time"`
		Data        actionData `json:"data"`
		SpecVersion string     `json:"specversion"`
	}{a.ID, a.topic(), a.ResourceID, a.eventType(), a.eventTime(), a.data(), "1.0"})
}

func (a Action) marshal(event any) []byte {
	body, err := json.Marshal(event)
	if err != nil {
		panic("arm: an event that is not JSON: " + err.Error()) // strings and maps of strings always are
	}
	return body
}

// topic is a subscription's system topic; a resource group's would add /resourceGroups/{name}.
func (a Action) topic() string { return "/subscriptions/" + a.SubscriptionID }

func (a Action) eventType() string {
	if a.Status == "Succeeded" {
		return "Microsoft.Resources.ResourceActionSuccess"
	}
	return "Microsoft.Resources.ResourceActionFailure"
}

func (a Action) eventTime() string { return a.Ended.UTC().Format("2006-01-02T15:04:05.9999999Z") }

func (a Action) data() actionData {
	return actionData{
		Authorization: actionAuthorization{Scope: a.ResourceID, Action: a.Operation, Evidence: map[string]string{
			"role": "Contributor", "roleAssignmentScope": a.topic(), "roleAssignmentId": "22222222222222222222222222222222",
			"roleDefinitionId": "b24988ac618042a0ab8820f7382dd24c", "principalId": "33333333333333333333333333333333", "principalType": "User",
		}},
		Claims:        claims(a.Started),
		CorrelationID: a.CorrelationID,
		HTTPRequest: actionRequest{
			ClientRequestID: a.ClientRequestID, ClientIPAddress: a.ClientIP, Method: a.Method, URL: a.URL,
		},
		ResourceProvider: computeNamespace, ResourceURI: a.ResourceID, OperationName: a.Operation,
		Status: a.Status, SubscriptionID: a.SubscriptionID, TenantID: tenantID,
	}
}

// claims are those of a made-up person. They are here because Azure sends them: a program that logs
// an event discloses them.
func claims(at time.Time) map[string]string {
	const issuer = "https://sts.windows.net/" + tenantID + "/"
	second := func(d time.Duration) string { return strconv.FormatInt(at.Add(d).Unix(), 10) }
	return map[string]string{
		"aud":    "https://management.core.windows.net/",
		"iss":    issuer,
		"iat":    second(-time.Minute),
		"nbf":    second(-time.Minute),
		"exp":    second(time.Hour),
		"appid":  "55555555-5555-5555-5555-555555555555",
		"ipaddr": "203.0.113.10",
		"name":   "Ada Example",
		"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn":            "ada@example.com",
		"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier": principalID,
		"http://schemas.microsoft.com/identity/claims/identityprovider":        issuer,
		"http://schemas.microsoft.com/identity/claims/objectidentifier":        principalID,
		"http://schemas.microsoft.com/identity/claims/tenantid":                tenantID,
		"uti": "x",
		"ver": "1.0",
	}
}
