package main

import (
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
