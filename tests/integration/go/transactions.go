package main

import (
	"context"
	"fmt"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const transactions = 6

// Every second transaction is aborted; what a reader of committed records sees is that of the others.
func committedValues() []string {
	var values []string
	for i := 0; i < transactions; i += 2 {
		values = append(values, fmt.Sprint(i, "-a"), fmt.Sprint(i, "-b"))
	}
	return values
}

func franzGoTransactions(bootstrap string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	topic := fmt.Sprintf("franz-transactions-%d", time.Now().UnixNano())
	client, err := kgo.NewClient(
		kgo.SeedBrokers(bootstrap),
		kgo.TransactionalID(topic),
		kgo.DefaultProduceTopic(topic),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}}),
	)
	check(err)
	defer client.Close()
	created, err := kadm.NewClient(client).CreateTopic(ctx, 1, 1, nil, topic)
	check(err)
	check(created.Err)
	for i := range transactions {
		check(client.BeginTransaction())
		a, b := kgo.StringRecord(fmt.Sprint(i, "-a")), kgo.StringRecord(fmt.Sprint(i, "-b"))
		check(client.ProduceSync(ctx, a, b).FirstErr())
		check(client.EndTransaction(ctx, kgo.TransactionEndTry(i%2 == 0)))
	}
	expected := committedValues()
	for read := 0; read < len(expected); {
		fetches := client.PollFetches(ctx)
		check(fetches.Err0())
		fetches.EachError(func(_ string, _ int32, err error) { check(err) })
		fetches.EachRecord(func(record *kgo.Record) {
			that(string(record.Value) == expected[read], "value ", string(record.Value))
			read++
		})
	}
}

func saramaTransactions(bootstrap string) {
	config := sarama.NewConfig()
	config.Version = sarama.V3_6_0_0
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Producer.Return.Successes = true
	config.Producer.Idempotent = true
	config.Net.MaxOpenRequests = 1
	config.Consumer.IsolationLevel = sarama.ReadCommitted
	brokers := []string{bootstrap}
	topic := fmt.Sprintf("sarama-transactions-%d", time.Now().UnixNano())
	admin, err := sarama.NewClusterAdmin(brokers, config)
	check(err)
	defer admin.Close()
	check(admin.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1}, false))

	config.Producer.Transaction.ID = topic
	producer, err := sarama.NewSyncProducer(brokers, config)
	check(err)
	for i := range transactions {
		check(producer.BeginTxn())
		for _, end := range []string{"-a", "-b"} {
			value := sarama.StringEncoder(fmt.Sprint(i, end))
			_, _, err := producer.SendMessage(&sarama.ProducerMessage{Topic: topic, Value: value})
			check(err)
		}
		if i%2 == 0 {
			check(producer.CommitTxn())
		} else {
			check(producer.AbortTxn())
		}
	}
	check(producer.Close())

	config.Producer.Transaction.ID = ""
	consumer, err := sarama.NewConsumer(brokers, config)
	check(err)
	partition, err := consumer.ConsumePartition(topic, 0, sarama.OffsetOldest)
	check(err)
	for _, expected := range committedValues() {
		select {
		case message := <-partition.Messages():
			that(string(message.Value) == expected, "value ", string(message.Value))
		case <-time.After(30 * time.Second):
			panic("no message in 30 s")
		}
	}
	check(partition.Close())
	check(consumer.Close())
}
