package worker

import "goldmint/internal/event"

// The names of the log events, a line's "msg".
const (
	logTaken            = "taken"
	logUnknownMessage   = "unknown_message"
	logStarted          = "build_started"
	logDelayed          = "build_delayed"
	logEnded            = "build_ended"
	logContinued        = "continued"
	logThrottled        = "throttled"
	logRejected         = "rejected"
	logDeadLettered     = "dead_lettered"
	logPoison           = "poison"
	logVMEventIgnored   = "vm_event_ignored" // warn where somebody may miss an image
	logVMEventRequested = "vm_event_requested"
	logVMEventContinued = "vm_event_continued"
)

// LogEvent is one kind of log line that alerts, the workbook and people may query: what it says and the fields that every
// such line carries, besides those of [LogFields].
type LogEvent struct {
	Name    string
	Meaning string
	Fields  []string
}

// LogFields are on every line about a message.
func LogFields() []string {
	return []string{"queue", "invocationId", "messageId", "sequenceNumber", "deliveryCount"}
}

// LogEvents is the fixed list of log events: a promise to whoever queries the logs. infra/queries ask for nothing else,
// and a test holds a whole run's lines against it.
func LogEvents() []LogEvent {
	return []LogEvent{
		{logTaken, "a message from outside was checked and handed on", []string{"id", "buildId"}},
		{logUnknownMessage, "the builds queue held something that is not the function's own: a role is wrong", []string{"reason", "hint"}},
		{logStarted, "ARM has accepted the image's creation", []string{"buildId", "digest", "imageId", "location", "subscriptionId", "attempts"}},
		{logDelayed, "the build waits before ARM works on its image; the event says so", []string{"buildId", "digest", "reason", "code", "until"}},
		{logContinued, "the build will be looked at again", []string{"buildId", "digest", "at", "reason", "seq", "step"}},
		{logEnded, "the build has ended, with its image or without", []string{"buildId", "digest", "imageId", "location", "subscriptionId", "attempts", "outcome", "code", "durationSeconds"}},
		{logThrottled, "ARM refused work for now", []string{"buildId", "digest", "retryAfterSeconds", "subscriptionId", "location"}},
		{logRejected, "the message can never succeed; its " + event.Rejected + " event is out", []string{"buildId", "reason", "problems"}},
		{logDeadLettered, "the message is in the dead-letter queue", []string{"reason"}},
		{logPoison, "the message came back too often: its build is tried once more (spared), then ended (failed, told)", []string{"outcome", "step"}},
		{logVMEventRequested, "a VM's build request is in the queue", []string{"vm", "operation", "buildId", "name"}},
		{logVMEventContinued, "the VM will be looked at again", []string{"vm", "operation", "at", "reason", "seq"}},
		{logVMEventIgnored, "the event asks for no image", []string{"reason"}},
	}
}
