package functions

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/go-amqp"
	"github.com/google/uuid"

	"goldmint/emulator/servicebus"
)

// These tests receive from the local Service Bus through the real client.

// bus is a bench whose queue is real.
type bus struct {
	*bench
	server   *servicebus.Server
	client   *azservicebus.Client
	renewals chan error
}

const lockDuration = time.Minute

func startBus(t *testing.T, timing Timing, edits ...edit) *bus {
	t.Helper()
	return startBusWithLocks(t, lockDuration, timing, edits...)
}

func startBusWithLocks(t *testing.T, lock time.Duration, timing Timing, edits ...edit) *bus {
	t.Helper()
	server := servicebus.Start(t, servicebus.Options{Config: servicebus.Config{UserConfig: servicebus.UserConfig{
		Namespaces: []servicebus.Namespace{{Name: "sbemulatorns", Queues: []servicebus.Queue{{
			Name:       "image-builds",
			Properties: servicebus.QueueProperties{LockDuration: servicebus.Duration(lock), MaxDeliveryCount: maxDeliveries},
		}}}},
	}}})
	client, err := azservicebus.NewClientFromConnectionString(server.ConnectionString(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close(context.Background()) })
	b := &bus{server: server, client: client, renewals: make(chan error, 10)}
	b.bench = b.host(t, timing, edits...)
	return b
}

// host starts a host, the first or another, on the bus.
func (b *bus) host(t *testing.T, timing Timing, edits ...edit) *bench {
	t.Helper()
	h := &bench{t: t, lines: newLines()}
	settings := map[string]string{"ServiceBusConnection": b.server.ConnectionString()}
	err := h.start(timing, settings, func(fn function, retry retryOptions) (queue, func(context.Context), error) {
		q, closer, err := openQueue(fn, retry)
		return watchedQueue{q, b.renewals}, closer, err
	}, edits...)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// watchedQueue reports every renewal.
type watchedQueue struct {
	queue
	renewals chan<- error
}

func (q watchedQueue) RenewMessageLock(ctx context.Context, msg *azservicebus.ReceivedMessage, options *azservicebus.RenewMessageLockOptions) error {
	err := q.queue.RenewMessageLock(ctx, msg, options)
	q.renewals <- err
	return err
}

func (b *bus) send(bodies ...string) {
	b.t.Helper()
	sender, err := b.client.NewSender("image-builds", nil)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, body := range bodies {
		if err := sender.SendMessage(b.t.Context(), &azservicebus.Message{Body: []byte(body), MessageID: &body}, nil); err != nil {
			b.t.Fatal(err)
		}
	}
}

// receiver receives from the queue itself or from its dead letters.
func (b *bus) receiver(sub azservicebus.SubQueue) *azservicebus.Receiver {
	b.t.Helper()
	receiver, err := b.client.NewReceiverForQueue("image-builds", &azservicebus.ReceiverOptions{SubQueue: sub})
	if err != nil {
		b.t.Fatal(err)
	}
	return receiver
}

// deadLetter waits for a dead letter.
func (b *bus) deadLetter() *azservicebus.ReceivedMessage {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 2*time.Minute)
	defer cancel()
	msg, err := receive(ctx, b.receiver(azservicebus.SubQueueDeadLetter))
	if err != nil {
		b.t.Fatalf("wait for a dead letter: %v", err)
	}
	return msg
}

// wantLeft checks how many messages the queue and its dead-letter queue hold.
func (b *bus) wantLeft(active, dead int) {
	b.t.Helper()
	gotActive, _, gotDead, _ := b.server.Counts("image-builds")
	if gotActive != active || gotDead != dead {
		b.t.Errorf("the queue holds %d messages and %d dead letters, want %d and %d", gotActive, gotDead, active, dead)
	}
}

func TestMessagesOfARealQueueAreCompleted(t *testing.T) {
	b := startBus(t, quick)
	b.send("ok 1", "ok 2", "ok 3")
	b.await(t, 3, "(Succeeded, ")
	if err := b.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.wantLeft(0, 0)
}

func TestAMessageThatAlwaysFailsEndsInTheDeadLetterQueue(t *testing.T) {
	b := startBus(t, quick)
	b.send("err500")
	msg := b.deadLetter()
	if value(msg.DeadLetterReason) != "MaxDeliveryCountExceeded" {
		t.Errorf("the reason is %q", value(msg.DeadLetterReason))
	}
	b.wantCounts(Counts{Failed: maxDeliveries})
}

// TestAHandlerMaySettleByItself holds the way a handler dead-letters: by the
// lock token, before it answers; the host's own complete then fails, and that
// is all.
func TestAHandlerMaySettleByItself(t *testing.T) {
	b := startBus(t, quick)
	b.send("token")
	b.await(t, 1, "got token")
	msg := &azservicebus.ReceivedMessage{LockToken: b.printedToken()}
	reason := "NotJSON"
	if err := b.receiver(0).DeadLetterMessage(t.Context(), msg, &azservicebus.DeadLetterOptions{Reason: &reason}); err != nil {
		t.Fatal(err)
	}
	b.release()
	b.await(t, 1, "log error: complete message token")
	if got := value(b.deadLetter().DeadLetterReason); got != reason {
		t.Errorf("the reason is %q", got)
	}
	if err := b.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.wantCounts(Counts{Succeeded: 1})
	if n, _ := b.count("log error: "); n != 1 {
		t.Errorf("%d errors are logged", n)
	}
}

// printedToken finds the lock token that the handler printed.
func (b *bus) printedToken() uuid.UUID {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	form := regexp.MustCompile(`got token "([-0-9a-f]{36})"`)
	for _, line := range b.list {
		if match := form.FindStringSubmatch(line); match != nil {
			return uuid.MustParse(match[1])
		}
	}
	b.t.Fatal("no lock token was printed")
	return uuid.Nil
}

func TestAStoppedHostsMessageComesBackWhenItsLockEnds(t *testing.T) {
	b := startBus(t, Timing{ReadyInterval: quick.ReadyInterval, DrainLimit: time.Millisecond})
	b.send("slow")
	b.await(t, 1, "got slow")
	if err := b.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	second := b.host(t, quick)
	b.send("ok")
	second.await(t, 1, "(Succeeded, ")
	if n, _ := second.count("got slow"); n != 0 {
		t.Error("the locked message was delivered")
	}
	b.server.FastForward(lockDuration + time.Second)
	second.await(t, 1, "message slow, delivery 2")
	second.await(t, 1, "got slow")
	second.release()
	second.await(t, 2, "(Succeeded, ")
}

func TestAKilledHandlersMessageIsDeliveredAtOnce(t *testing.T) {
	b := startBus(t, quick)
	b.send("once")
	b.await(t, 1, "got once")
	if err := b.KillHandler(); err != nil {
		t.Fatal(err)
	}
	b.await(t, 1, "message once, delivery 2")
	b.await(t, 2, "got once")
	b.release()
	b.await(t, 1, "(Succeeded, ")
}

func TestALockIsRenewedWhileTheFunctionRuns(t *testing.T) {
	t.Parallel()
	b := startBusWithLocks(t, 10*time.Second, quick) // renewed after half of it
	b.send("slow")
	select {
	case err := <-b.renewals:
		if err != nil {
			t.Errorf("the renewal failed: %v", err)
		}
	case <-time.After(2 * time.Minute):
		t.Fatal("the lock was not renewed")
	}
	b.release()
	b.await(t, 1, "(Succeeded, ")
}

func TestTheHostReceivesAgainAfterAConnectionIsCut(t *testing.T) {
	b := startBus(t, quick)
	b.send("ok 1")
	b.await(t, 1, "(Succeeded, ")
	b.server.DropConnections()
	b.send("ok 2")
	b.await(t, 2, "(Succeeded, ")
}

func TestAQueueThatDoesNotExistIsLoggedAndTriedAgain(t *testing.T) {
	b := startBus(t, quick, func(_, function map[string]any) {
		function["bindings"].([]any)[0].(map[string]any)["queueName"] = "no-such-queue"
	})
	b.await(t, 2, `log error: receive from queue "no-such-queue": `)
}

// plain sends with an AMQP client that leaves everything to its caller.
func (b *bus) plain(messages ...*amqp.Message) {
	b.t.Helper()
	_, key, _ := strings.Cut(b.server.ConnectionString(), "SharedAccessKey=")
	key, _, _ = strings.Cut(key, ";")
	conn, err := amqp.Dial(b.t.Context(), "amqp://"+b.server.Addr(), &amqp.ConnOptions{SASLType: amqp.SASLTypePlain("RootManageSharedAccessKey", key)})
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	session, err := conn.NewSession(b.t.Context(), nil)
	if err != nil {
		b.t.Fatal(err)
	}
	sender, err := session.NewSender(b.t.Context(), "image-builds", nil)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, m := range messages {
		if err := sender.Send(b.t.Context(), m, nil); err != nil {
			b.t.Fatal(err)
		}
	}
}

// TestWhatOtherClientsSendReachesTheHandler: in the form that .NET has. The sections of a body are
// joined, a message id is its text, whatever its type, an absent one is the service's, and a map
// among the properties is an object.
func TestWhatOtherClientsSendReachesTheHandler(t *testing.T) {
	b := startBus(t, quick)
	id := amqp.UUID{0xab, 15: 1}
	sections := &amqp.Message{Data: [][]byte{[]byte("metadata joi"), []byte("n"), []byte("ed")}}
	number, guid, binary, properties := amqp.NewMessage([]byte("metadata number")), amqp.NewMessage([]byte("metadata guid")),
		amqp.NewMessage([]byte("metadata binary")), amqp.NewMessage([]byte("metadata properties"))
	number.Properties = &amqp.MessageProperties{MessageID: uint64(1) << 63}
	guid.Properties = &amqp.MessageProperties{MessageID: id}
	binary.Properties = &amqp.MessageProperties{MessageID: []byte("bytes")}
	properties.Properties = &amqp.MessageProperties{MessageID: "p"}
	properties.ApplicationProperties = map[string]any{"map": map[string]any{"b": int64(1), "a": "x"}, "text": "t"}
	b.plain(sections, number, guid, binary, properties)
	b.await(t, 5, "(Succeeded, ")
	b.await(t, 5, "got metadata ")
	b.await(t, 1, `(message 9223372036854775808, delivery 1, `)
	for _, want := range []string{
		"joined \"[0-9a-f]{32}\" {}",
		"number \"9223372036854775808\" {}",
		"guid \"ab000000-0000-0000-0000-000000000001\" {}",
		"binary \"bytes\" {}",
		`properties "p" {"map":{"a":"x","b":1},"text":"t"}`,
	} {
		form := regexp.MustCompile("got metadata " + want)
		if !slices.ContainsFunc(b.list, form.MatchString) {
			t.Errorf("the handler did not get %s:\n%s", want, strings.Join(b.list, "\n"))
		}
	}
	if err := b.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.wantLeft(0, 0)
}

// TestAMessageThatTheClientCannotReadHoldsNothingUp: .NET reads a decimal property and the Go
// client does not. The message goes the way of one that nobody settles, and the others reach the
// handler.
func TestAMessageThatTheClientCannotReadHoldsNothingUp(t *testing.T) {
	b := startBus(t, quick)
	encoded := append([]byte("\x00St\xc1\x19\x02\xa1\x05price\x94"), make([]byte, 16)...)
	encoded = append(encoded, "\x00Su\xa0\x02ok"...)
	b.plain(&amqp.Message{Format: batchFormat, Data: [][]byte{encoded}})
	b.send("ok")
	b.await(t, 1, "(Succeeded, ")
	if n, _ := b.count("executing "); n != 1 {
		t.Errorf("%d invocations", n)
	}
}

const batchFormat = 0x80013700 // each data section is a whole message
