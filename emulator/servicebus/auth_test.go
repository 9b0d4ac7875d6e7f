package servicebus_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/go-amqp"

	"goldmint/emulator/servicebus"
)

func TestWrongKeyIsUnauthorized(t *testing.T) {
	b := start(t, servicebus.Options{SharedAccessKey: "right"})
	for _, connection := range []string{
		strings.Replace(b.bus.ConnectionString(), "=right;", "=wrong;", 1),
		strings.Replace(b.bus.ConnectionString(), "RootManageSharedAccessKey", "Other", 1),
	} {
		s, err := b.connect(connection).NewSender("queue", nil)
		b.must(err)
		wantCode(t, s.SendMessage(b.ctx, message("a"), nil), azservicebus.CodeUnauthorizedAccess)
	}
	b.counts("queue", 0, 0, 0, 0)
}

func TestUnknownEntityIsNotFound(t *testing.T) {
	b := start(t, servicebus.Options{})
	wantCode(t, b.sender("nowhere").SendMessage(b.ctx, message("a"), nil), azservicebus.CodeNotFound)
	_, err := b.receiver("nowhere", nil).ReceiveMessages(b.ctx, 1, nil)
	wantCode(t, err, azservicebus.CodeNotFound)
	_, err = b.subscriber("nowhere").PeekMessages(b.ctx, 1, nil)
	wantCode(t, err, azservicebus.CodeNotFound)
}

func TestTopicsAndSubscriptionsAreOneWay(t *testing.T) {
	b := start(t, servicebus.Options{})
	if _, err := b.receiver("topic", nil).ReceiveMessages(b.ctx, 1, nil); err == nil {
		t.Error("received from a topic")
	}
	if err := b.sender("topic/Subscriptions/all").SendMessage(b.ctx, message("a"), nil); err == nil {
		t.Error("sent to a subscription")
	}
}

// plain connects with go-amqp alone, as clients of other brokers do.
func (b *bench) plain(name, key string) (*amqp.Session, error) {
	b.Helper()
	conn, err := amqp.Dial(b.ctx, "amqp://"+b.bus.Addr(), &amqp.ConnOptions{SASLType: amqp.SASLTypePlain(name, key)})
	if err != nil {
		return nil, err
	}
	b.Cleanup(func() { _ = conn.Close() })
	return conn.NewSession(b.ctx, nil)
}

func (b *bench) session() *amqp.Session {
	b.Helper()
	s, err := b.plain("RootManageSharedAccessKey", b.key())
	b.must(err)
	return s
}

func (b *bench) key() string {
	_, rest, _ := strings.Cut(b.bus.ConnectionString(), "SharedAccessKey=")
	key, _, _ := strings.Cut(rest, ";")
	return key
}

func TestPlainLogin(t *testing.T) {
	b := start(t, servicebus.Options{})
	if _, err := b.plain("RootManageSharedAccessKey", "wrong"); err == nil {
		t.Error("a wrong key logged in")
	}
	s, err := b.session().NewSender(b.ctx, "queue", nil)
	b.must(err)
	b.must(s.Send(b.ctx, amqp.NewMessage([]byte("a")), nil))
	b.counts("queue", 1, 0, 0, 0)
}

func TestNoClaimNoLink(t *testing.T) {
	b := start(t, servicebus.Options{})
	conn, err := amqp.Dial(b.ctx, "amqp://"+b.bus.Addr(), &amqp.ConnOptions{SASLType: amqp.SASLTypeAnonymous()})
	b.must(err)
	defer func() { _ = conn.Close() }()
	session, err := conn.NewSession(b.ctx, nil)
	b.must(err)
	_, err = session.NewSender(b.ctx, "queue", nil)
	var e *amqp.Error
	if !errors.As(err, &e) || e.Condition != amqp.ErrCondUnauthorizedAccess {
		t.Errorf("error %v without a claim, want %s", err, amqp.ErrCondUnauthorizedAccess)
	}
	_, err = session.NewReceiver(b.ctx, "nowhere", nil)
	if !errors.As(err, &e) || e.Condition != amqp.ErrCondNotFound {
		t.Errorf("error %v for an entity that is not there, want %s", err, amqp.ErrCondNotFound)
	}
}

// putToken puts a token on $cbs by hand and returns the answer's status code.
func (b *bench) putToken(kind, token, name string) int32 {
	b.Helper()
	conn, err := amqp.Dial(b.ctx, "amqp://"+b.bus.Addr(), &amqp.ConnOptions{SASLType: amqp.SASLTypeAnonymous()})
	b.must(err)
	defer func() { _ = conn.Close() }()
	session, err := conn.NewSession(b.ctx, nil)
	b.must(err)
	return b.request(session, "$cbs", &amqp.Message{
		Value:                 token,
		ApplicationProperties: map[string]any{"operation": "put-token", "type": kind, "name": name},
	}).ApplicationProperties["status-code"].(int32)
}

// request asks a node and waits for the answer.
func (b *bench) request(session *amqp.Session, node string, m *amqp.Message) *amqp.Message {
	b.Helper()
	replyTo := "answers"
	s, err := session.NewSender(b.ctx, node, nil)
	b.must(err)
	r, err := session.NewReceiver(b.ctx, node, &amqp.ReceiverOptions{TargetAddress: replyTo})
	b.must(err)
	m.Properties = &amqp.MessageProperties{MessageID: "1", ReplyTo: &replyTo}
	b.must(s.Send(b.ctx, m, nil))
	answer, err := r.Receive(b.ctx, nil)
	b.must(err)
	if answer.Properties.CorrelationID != "1" {
		b.Errorf("correlation id %v, want the request's message id", answer.Properties.CorrelationID)
	}
	b.must(r.Close(b.ctx))
	b.must(s.Close(b.ctx))
	return answer
}

func TestTokens(t *testing.T) {
	b := start(t, servicebus.Options{SharedAccessKey: "key", VerifyToken: func(token string) error {
		if token != "genuine" {
			return errors.New("not genuine")
		}
		return nil
	}})
	// Signed by hand over "sr LF se" with the key "key".
	good := servicebus.SignForTest("key", "amqp%3a%2f%2flocalhost%2fqueue", "4102444800", "RootManageSharedAccessKey")
	old := servicebus.SignForTest("key", "amqp%3a%2f%2flocalhost%2fqueue", "946684800", "RootManageSharedAccessKey")
	bare := servicebus.SignForTest("key", "localhost%2fqueue", "4102444800", "RootManageSharedAccessKey")
	const sas, jwt = "servicebus.windows.net:sastoken", "jwt"
	for _, c := range []struct {
		what, kind, token, name string
		want                    int32
	}{
		{"a good token", sas, good, "amqp://localhost/queue", 202},
		{"of a resource without a scheme", sas, bare, "amqp://localhost/queue", 202},
		{"of one without a scheme, for another entity", sas, bare, "amqp://localhost/topic", 401},
		{"for what is below", sas, good, "amqp://localhost/queue/$management", 202},
		{"in another case", sas, good, "amqp://localhost/QUEUE", 202},
		{"for another entity", sas, good, "amqp://localhost/topic", 401},
		{"expired", sas, old, "amqp://localhost/queue", 401},
		{"garbage", sas, "SharedAccessSignature sr=%zz", "amqp://localhost/queue", 401},
		{"no signature", sas, "hello", "amqp://localhost/queue", 401},
		{"a web token", jwt, "genuine", "sb://localhost/queue", 202},
		{"a false web token", jwt, "false", "sb://localhost/queue", 401},
		{"an unknown entity", jwt, "genuine", "sb://localhost/nowhere", 404},
		{"another type", "swt", "genuine", "sb://localhost/queue", 401},
	} {
		if got := b.putToken(c.kind, c.token, c.name); got != c.want {
			t.Errorf("%s: status %d, want %d", c.what, got, c.want)
		}
	}
}

func TestOneCBSPairPerConnection(t *testing.T) {
	b := start(t, servicebus.Options{})
	s := b.session()
	first, err := s.NewSender(b.ctx, "$cbs", nil)
	b.must(err)
	if _, err := s.NewSender(b.ctx, "$cbs", nil); err == nil {
		t.Error("a second sender to $cbs was attached")
	}
	b.must(first.Close(b.ctx))
	_, err = s.NewSender(b.ctx, "$cbs", nil)
	b.must(err)
}

func TestExternalLogin(t *testing.T) {
	b := start(t, servicebus.Options{})
	conn, err := amqp.Dial(b.ctx, "amqp://"+b.bus.Addr(), &amqp.ConnOptions{SASLType: amqp.SASLTypeExternal("")})
	b.must(err)
	b.must(conn.Close())
}

// TestRights: a rule's key does at its entity what the rule allows, and nothing elsewhere.
func TestRights(t *testing.T) {
	b := start(t, servicebus.Options{})
	b.must(b.sender("queue").SendMessage(b.ctx, message("a"), nil))
	sends := b.connect(b.bus.Authorize(map[string]servicebus.Rights{"QUEUE": servicebus.RightSend}))
	listens := b.connect(b.bus.Authorize(map[string]servicebus.Rights{"queue": servicebus.RightListen}))
	elsewhere := b.connect(b.bus.Authorize(map[string]servicebus.Rights{"topic": servicebus.RightAll}))
	for name, c := range map[string]struct {
		client                 *azservicebus.Client
		send, schedule, listen bool
	}{
		"Send":      {sends, true, true, false},
		"Listen":    {listens, false, false, true},
		"elsewhere": {elsewhere, false, false, false},
	} {
		check := func(what string, err error, may bool) {
			t.Helper()
			var refused *azservicebus.Error
			if may && err != nil || !may && (!errors.As(err, &refused) || refused.Code != azservicebus.CodeUnauthorizedAccess) {
				t.Errorf("%s: %s: %v, allowed: %t", name, what, err, may)
			}
		}
		s, err := c.client.NewSender("queue", nil)
		b.must(err)
		check("send", s.SendMessage(b.ctx, message("b"), nil), c.send)
		_, err = s.ScheduleMessages(b.ctx, []*azservicebus.Message{message("c")}, time.Now().Add(time.Hour), nil)
		check("schedule", err, c.schedule)
		r, err := c.client.NewReceiverForQueue("queue", nil)
		b.must(err)
		_, err = r.PeekMessages(b.ctx, 1, nil)
		check("peek", err, c.listen)
		_, err = r.ReceiveMessages(b.ctx, 1, nil)
		check("receive", err, c.listen)
	}
}
