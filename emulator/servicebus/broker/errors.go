package broker

// Error is a refusal in the words of the wire: a condition that programs act on
// and a description for people.
type Error struct {
	Condition   string
	Description string
}

func (e *Error) Error() string { return e.Description + " (" + e.Condition + ")" }

// Is makes two errors with one condition the same error.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Condition == e.Condition
}

// Conditions of errors, as Service Bus names them.
const (
	NotFound         = "amqp:not-found"
	NotAllowed       = "amqp:not-allowed"
	TooLarge         = "amqp:link:message-size-exceeded"
	InvalidField     = "amqp:invalid-field"
	LockLost         = "com.microsoft:message-lock-lost"
	SessionLockLost  = "com.microsoft:session-lock-lost"
	SessionNotLocked = "com.microsoft:session-cannot-be-locked"
	MessageNotFound  = "com.microsoft:message-not-found"
	Timeout          = "com.microsoft:timeout"
)

func lockLost() error {
	return &Error{LockLost, "The lock supplied is invalid. Either the lock expired, or the message has already been removed from the queue."}
}

func sessionLockLost() error {
	return &Error{SessionLockLost, "the lock of the session is lost; accept the session again"}
}
