package worker

import (
	"context"
	"fmt"

	"go.uber.org/zap"

	"goldmint/internal/build"
	"goldmint/internal/message"
)

// remedy is what to do about a message that is poison.
const remedy = "Look at the handler's log for this build id; once the cause is gone, `goldmint dead-letters resubmit` sends it again."

// poison ends a build whose message comes back again and again, so that its sender does not wait
// for ever.
func (w *Worker) poison(ctx context.Context, m message.Received, b build.Build, log *zap.Logger) (Settlement, error) {
	text := fmt.Sprintf("delivered %d times without being dealt with; last step: %s", m.DeliveryCount, stepName(b))
	buried := Settlement{"PoisonMessage", text + ". " + remedy}
	logPoisoned := func(outcome string) {
		log.Error(logPoison, zap.String("outcome", outcome), zap.String("step", stepName(b)))
	}
	if b.Decided() { // publishing the verdict is what fails
		logPoisoned("published")
		image := w.lookForPoison(ctx, m, b, log)
		w.leave(ctx, b)
		return buried, w.publishOutside(ctx, b, b.Poisoned(image, text, w.Now()), log)
	}
	next, do := w.Policy.Poison(b, text, w.Now())
	if err := w.resume(ctx, m, next, do, log); err != nil {
		return Settlement{}, err
	}
	if !next.Decided() {
		logPoisoned("retried")
		return Settlement{}, nil
	}
	logPoisoned("failed")
	return buried, nil
}

// lookForPoison looks once more whether the image exists. That look may be what kills the process,
// so the next delivery does not look.
func (w *Worker) lookForPoison(ctx context.Context, m message.Received, b build.Build, log *zap.Logger) build.Image {
	if m.DeliveryCount > w.Rules.PoisonDelivery {
		return build.Image{}
	}
	ctx, cancel := w.forARM(ctx)
	defer cancel()
	image, err := w.ARM.Image(ctx, b.ImageID())
	if err != nil {
		logStepFailed(log, build.Look, err)
	}
	return image
}

func stepName(b build.Build) string {
	if b.Step == "" {
		return "none"
	}
	return string(b.Step)
}
