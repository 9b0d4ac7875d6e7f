package deadletter_test

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/go-amqp"

	"goldmint/cmd/goldmint/internal/deadletter"
	"goldmint/emulator/servicebus"
	"goldmint/internal/localazure"
)

// marker is an application property of sixteen bytes. As a UUID this client can send it, as a
// decimal128 it can neither send nor read it.
var marker = amqp.UUID([]byte("decimal128-here!"))

// decimals is a Service Bus behind a wire on which the marker becomes a decimal128, as .NET's
// clients send one.
func decimals(t *testing.T) *stage {
	t.Helper()
	config := localazure.Entities()
	for i := range config.UserConfig.Namespaces[0].Queues {
		config.UserConfig.Namespaces[0].Queues[i].Properties.DeadLetteringOnMessageExpiration = true
	}
	bus := servicebus.Start(t, servicebus.Options{Config: config})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", bus.Addr())
			if err != nil {
				_ = client.Close()
				return
			}
			go func() { _, _ = io.Copy(client, server); _ = client.Close() }()
			go func() { _, _ = io.Copy(disguised{server}, client); _ = server.Close() }()
		}
	}()
	return dial(t, strings.Replace(bus.ConnectionString(), bus.Addr(), listener.Addr().String(), 1))
}

// disguised writes a marker as a decimal128. The client writes each frame at once.
type disguised struct{ to io.Writer }

func (d disguised) Write(frames []byte) (int, error) {
	const uuid, decimal128 = 0x98, 0x94
	frames = bytes.ReplaceAll(frames, append([]byte{uuid}, marker[:]...), append([]byte{decimal128}, marker[:]...))
	return d.to.Write(frames)
}

// Messages that cannot be decoded hide nothing: the others are listed, shown and removed, and each
// of them goes by its number and can be removed.
func TestUnreadable(t *testing.T) {
	s := decimals(t)
	unreadable := func(id string) *azservicebus.Message {
		return &azservicebus.Message{MessageID: to.Ptr(id), Body: []byte("x"), ApplicationProperties: map[string]any{"price": marker}}
	}
	s.expire(message("a", "x"), unreadable("b"), message("c", "x"), message("d", "x"), unreadable("e"), unreadable("f"), message("g", "x"))
	s.wants("a 1, ? 2, c 3, d 4, ? 6, g 7")

	for _, l := range s.list() {
		if l.Kind == deadletter.Unreadable {
			if _, err := l.Request(); err == nil || !strings.Contains(l.Description, "decimal128") {
				t.Errorf("%+v, %v", l, err)
			}
		}
	}
	s.removes(1)
	if n, err := s.queue.Remove(s.ctx, []int64{3}, nothing); n != 0 || err == nil || err.Error() != "message 2, which cannot be read, stands before others: discard it first" {
		t.Errorf("removed %d, %v", n, err)
	}
	s.removes(2)
	s.removes(3)
	s.wants("d 4, ? 6, g 7")
	s.removes(6)
	s.wants("d 4, ? 6, g 7") // the first of the two is gone
	s.removes(4, 6, 7)
	s.wants("")
}

// expire sends messages that Service Bus dead-letters by itself: this client cannot receive all of
// them.
func (s *stage) expire(messages ...*azservicebus.Message) {
	s.Helper()
	sender, err := s.client.NewSender(localazure.Requests, nil)
	s.check(err)
	for _, m := range messages {
		m.TimeToLive = to.Ptr(time.Millisecond)
		s.check(sender.SendMessage(s.ctx, m, nil))
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	last := *messages[len(messages)-1].MessageID
	for !slices.ContainsFunc(s.list(), func(l deadletter.Letter) bool { return l.MessageID == last }) {
		select {
		case <-s.ctx.Done():
			s.Fatal("the messages do not expire")
		case <-tick.C:
		}
	}
}

// wants compares what is listed.
func (s *stage) wants(want string) {
	s.Helper()
	var got []string
	for _, l := range s.list() {
		got = append(got, fmt.Sprint(cmp.Or(l.MessageID, "?"), " ", l.SequenceNumber))
	}
	if strings.Join(got, ", ") != want {
		s.Fatalf("listed: %v, want %s", got, want)
	}
}

func (s *stage) removes(numbers ...int64) {
	s.Helper()
	if n, err := s.queue.Remove(s.ctx, numbers, nothing); n != len(numbers) || err != nil {
		s.Fatalf("removed %d of %v: %v", n, numbers, err)
	}
}
