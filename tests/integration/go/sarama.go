package main

import (
	"context"
	"fmt"
	"time"

	"github.com/IBM/sarama"
)

func saramaClient(bootstrap string) {
	codecs := []sarama.CompressionCodec{
		sarama.CompressionNone, sarama.CompressionGZIP, sarama.CompressionSnappy, sarama.CompressionLZ4, sarama.CompressionZSTD,
	}
	for _, codec := range codecs {
		saramaCodec(bootstrap, codec)
	}
	saramaGroup(bootstrap)
}

// counting ends a session when it has read so many messages, and commits them.
type counting struct{ left int }

func (*counting) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (*counting) Cleanup(sarama.ConsumerGroupSession) error { return nil }
func (c *counting) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for c.left > 0 {
		select {
		case message := <-claim.Messages():
			session.MarkMessage(message, "")
			c.left--
		case <-session.Context().Done():
			return nil
		}
	}
	session.Commit()
	return nil
}

// A group reads all there is and commits; who comes after it goes on from there.
func saramaGroup(bootstrap string) {
	config := sarama.NewConfig()
	config.Version = sarama.V3_6_0_0
	config.Producer.Return.Successes = true
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.Offsets.AutoCommit.Enable = false
	brokers := []string{bootstrap}
	topic := fmt.Sprintf("sarama-group-%d", time.Now().UnixNano())
	admin, err := sarama.NewClusterAdmin(brokers, config)
	check(err)
	defer admin.Close()
	check(admin.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1}, false))
	producer, err := sarama.NewSyncProducer(brokers, config)
	check(err)
	for _, count := range []int{50, 5} {
		for i := range count {
			_, _, err := producer.SendMessage(&sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder(fmt.Sprint(i))})
			check(err)
		}
		group, err := sarama.NewConsumerGroup(brokers, topic, config)
		check(err)
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		handler := &counting{left: count}
		for handler.left > 0 {
			check(group.Consume(ctx, []string{topic}, handler))
			check(ctx.Err())
		}
		cancel()
		check(group.Close())
	}
	check(producer.Close())
	offsets, err := admin.ListConsumerGroupOffsets(topic, map[string][]int32{topic: {0}})
	check(err)
	that(offsets.GetBlock(topic, 0).Offset == 55, "committed ", offsets.GetBlock(topic, 0).Offset)
	check(admin.DeleteConsumerGroup(topic))
}

func saramaCodec(bootstrap string, codec sarama.CompressionCodec) {
	config := sarama.NewConfig()
	config.Version = sarama.V3_6_0_0
	config.Producer.Compression = codec
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Producer.Return.Successes = true
	config.Producer.Idempotent = true
	config.Net.MaxOpenRequests = 1
	config.Consumer.Return.Errors = true
	brokers := []string{bootstrap}
	topic := fmt.Sprintf("sarama-%s-%d", codec, time.Now().UnixNano())

	admin, err := sarama.NewClusterAdmin(brokers, config)
	check(err)
	defer admin.Close()
	check(admin.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1}, false))

	const count = 500
	producer, err := sarama.NewSyncProducer(brokers, config)
	check(err)
	for i := range count {
		_, offset, err := producer.SendMessage(&sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder(fmt.Sprint(i))})
		check(err)
		that(offset == int64(i), "offset ", offset)
	}
	check(producer.Close())

	consumer, err := sarama.NewConsumer(brokers, config)
	check(err)
	partition, err := consumer.ConsumePartition(topic, 0, sarama.OffsetOldest)
	check(err)
	for i := range count {
		select {
		case message := <-partition.Messages():
			that(message.Offset == int64(i) && string(message.Value) == fmt.Sprint(i), "message ", message.Offset)
		case err := <-partition.Errors():
			check(err)
		case <-time.After(30 * time.Second):
			panic("no message in 30 s")
		}
	}
	check(partition.Close())
	check(consumer.Close())
	entries, err := admin.DescribeConfig(sarama.ConfigResource{Type: sarama.TopicResource, Name: topic})
	check(err)
	that(len(entries) > 30, "configs ", len(entries))
	check(admin.DeleteTopic(topic))
}
