package main

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

func franzGo(bootstrap string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	codecs := map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	for name, codec := range codecs {
		franzGoCodec(ctx, bootstrap, name, codec)
	}
	franzGoGroup(ctx, bootstrap)
}

// Two members share a topic; who comes after them goes on where they have stopped.
func franzGoGroup(ctx context.Context, bootstrap string) {
	topic := fmt.Sprintf("franz-group-%d", time.Now().UnixNano())
	client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	check(err)
	defer client.Close()
	admin := kadm.NewClient(client)
	created, err := admin.CreateTopic(ctx, 4, 1, nil, topic)
	check(err)
	check(created.Err)
	send := func(from, to int) {
		for i := from; i < to; i++ {
			record := &kgo.Record{Topic: topic, Partition: int32(i % 4), Value: []byte(fmt.Sprint(i))}
			check(client.ProduceSync(ctx, record).FirstErr())
		}
	}
	member := func() *kgo.Client {
		one, err := kgo.NewClient(
			kgo.SeedBrokers(bootstrap), kgo.ConsumerGroup(topic), kgo.ConsumeTopics(topic), kgo.DisableAutoCommit(),
			kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.HeartbeatInterval(300*time.Millisecond),
		)
		check(err)
		return one
	}
	read := func(values map[string]bool, count int, members ...*kgo.Client) {
		for len(values) < count {
			for _, one := range members {
				poll, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
				one.PollFetches(poll).EachRecord(func(record *kgo.Record) { values[string(record.Value)] = true })
				cancel()
				that(ctx.Err() == nil, "only ", len(values))
			}
		}
		for _, one := range members {
			check(one.CommitUncommittedOffsets(ctx))
		}
	}
	send(0, 100)
	first, second, values := member(), member(), map[string]bool{}
	read(values, 100, first, second)
	first.Close()
	second.Close()
	send(100, 104)
	last, rest := member(), map[string]bool{}
	read(rest, 4, last)
	for value := range rest {
		that(!values[value], "read again: ", value)
	}
	described, err := admin.DescribeGroups(ctx, topic)
	check(err)
	that(described[topic].State == "Stable" && len(described[topic].Members) == 1, described[topic])
	last.Close()
	committed, err := admin.FetchOffsets(ctx, topic)
	check(err)
	check(committed.Error())
	at, _ := committed.Lookup(topic, 3)
	that(at.At == 26, "committed ", at.At)
	deleted, err := admin.DeleteGroup(ctx, topic)
	check(err)
	check(deleted.Err)
}

func franzGoCodec(ctx context.Context, bootstrap, name string, codec kgo.CompressionCodec) {
	topic := fmt.Sprintf("franz-%s-%d", name, time.Now().UnixNano())
	client, err := kgo.NewClient(
		kgo.SeedBrokers(bootstrap),
		kgo.ProducerBatchCompression(codec),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{
			topic: {0: kgo.NewOffset().AtStart(), 1: kgo.NewOffset().AtStart()},
		}),
	)
	check(err)
	defer client.Close()
	admin := kadm.NewClient(client)
	created, err := admin.CreateTopic(ctx, 2, 1, nil, topic)
	check(err)
	check(created.Err)

	const count = 1000
	var records []*kgo.Record
	for i := range count {
		records = append(records, &kgo.Record{
			Topic: topic, Partition: int32(i % 2), Key: []byte(fmt.Sprint("key-", i)), Value: []byte(fmt.Sprint("value-", i)),
			Headers: []kgo.RecordHeader{{Key: "n", Value: []byte(fmt.Sprint(i))}},
		})
	}
	check(client.ProduceSync(ctx, records...).FirstErr())

	read, next := 0, [2]int64{}
	for read < count {
		fetches := client.PollFetches(ctx)
		check(fetches.Err0())
		fetches.EachError(func(_ string, _ int32, err error) { check(err) })
		fetches.EachRecord(func(record *kgo.Record) {
			that(record.Offset == next[record.Partition], "offset ", record.Offset)
			i := record.Offset*2 + int64(record.Partition)
			that(string(record.Value) == fmt.Sprint("value-", i), string(record.Value))
			that(string(record.Headers[0].Value) == fmt.Sprint(i), "header")
			next[record.Partition]++
			read++
		})
	}
	ends, err := admin.ListEndOffsets(ctx, topic)
	check(err)
	check(ends.Error())
	end, _ := ends.Lookup(topic, 1)
	that(end.Offset == count/2, "end offset ", end.Offset)
	_, err = admin.DeleteTopics(ctx, topic)
	check(err)
}
