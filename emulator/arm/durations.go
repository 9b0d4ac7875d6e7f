package arm

import "time"

// RecordedTick is what most of Azure's operations were recorded to take, and what the longer ones
// take twice.
const RecordedTick = 5150 * time.Millisecond

// RecordedLatency as Options.PutLatency lets the PUT of an image answer when Azure's was recorded
// to: after half a second from managed disks, snapshots and virtual machines with managed disks,
// after 5.3 s from blobs.
const RecordedLatency time.Duration = -1

// What Azure was recorded to take, from the start of an operation to its end.
const (
	managedLatency = 500 * time.Millisecond  // 7 of 7 PUTs answered within 0.6 s
	blobLatency    = 5300 * time.Millisecond // 11 of 11 between 3.8 and 6.7 s
	blobDuration   = 2 * RecordedTick        // 10.1 to 10.4 s, once 20.6, once 57
	blobMissing    = 219 * time.Millisecond  // after this time an operation with a missing blob fails
	diskDuration   = 500 * time.Millisecond  // 0.08 to 1 s
	resizedCopy    = 22 * time.Second        // a copy that is larger than its source: 22 to 23 s
	groupDeletion  = 2 * RecordedTick        // depends on what is in it; not recorded for a group of images
)

// scaled is a recorded duration under Options.Speed.
func (o *Options) scaled(d time.Duration) time.Duration {
	if o.Speed > 0 {
		return time.Duration(float64(d) / o.Speed)
	}
	return d
}

// imageTimes is when the PUT of an image answers and when its operation ends, both counted from the
// PUT.
func (o *Options) imageTimes(fromBlobs bool) (answers, ends time.Duration) {
	latency, duration := managedLatency, RecordedTick
	if fromBlobs {
		latency, duration = blobLatency, blobDuration
	}
	ends, answers = o.ImageDuration, o.PutLatency
	if ends == 0 {
		ends = o.scaled(duration)
	}
	if answers == RecordedLatency {
		answers = o.scaled(latency)
	}
	return min(answers, ends), ends
}

// tick is what the deletion of an image and a change of its tags take.
func (o *Options) tick() time.Duration {
	if o.ImageDuration > 0 {
		return min(o.ImageDuration, o.scaled(RecordedTick))
	}
	return o.scaled(RecordedTick)
}

// actionDuration is what an action on a VM takes, its creation and its deletion.
func (o *Options) actionDuration() time.Duration {
	if o.ActionDuration > 0 {
		return o.ActionDuration
	}
	return o.tick()
}

// lookAgain is the Retry-After of an action on a VM. Azure was recorded to say ten seconds; where
// actions are faster here, the value is smaller, so that clients do not wait too long.
func (o *Options) lookAgain() string {
	if o.actionDuration() > 10*time.Second || (o.ActionDuration == 0 && o.ImageDuration == 0 && o.Speed == 0) {
		return "10"
	}
	return ""
}
