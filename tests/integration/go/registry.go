package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/sr"
)

type order struct {
	ID   int    `json:"id"`
	Note string `json:"note"`
}

// franz-go's client of schema registries: registers, looks up, checks, writes and reads with ids and indexes.
func franzGoRegistry(url string) {
	ctx := context.Background()
	client, err := sr.NewClient(sr.URLs(url))
	check(err)
	subject := fmt.Sprintf("a/b go-%d", time.Now().UnixNano())
	schema := func(fields string) sr.Schema {
		text := `{"type":"record","name":"Order","fields":[{"name":"id","type":"long"}` + fields + `]}`
		return sr.Schema{Schema: text, Type: sr.TypeAvro}
	}
	first, err := client.CreateSchema(ctx, subject, schema(""))
	check(err)
	that(first.Version == 1 && first.ID > 0, "first: ", first)
	again, err := client.LookupSchema(ctx, subject, schema(""))
	check(err)
	that(again.ID == first.ID, "again: ", again)
	byID, err := client.SchemaByID(ctx, first.ID)
	check(err)
	that(byID.Schema == first.Schema.Schema, "by id: ", byID)

	broken, err := client.CheckCompatibility(sr.WithParams(ctx, sr.Verbose), subject, -1, schema(`,{"name":"note","type":"string"}`))
	check(err)
	that(!broken.Is && len(broken.Messages) > 0, "broken: ", broken)
	_, err = client.CreateSchema(ctx, subject, schema(`,{"name":"note","type":"string"}`))
	refusal, is := err.(*sr.ResponseError)
	that(is && refusal.StatusCode == 409, "refusal: ", err)
	evolved := schema(`,{"name":"note","type":"string","default":""}`)
	evolved.SchemaMetadata = &sr.SchemaMetadata{Properties: map[string]string{"owner": "go"}}
	second, err := client.CreateSchema(ctx, subject, evolved)
	check(err)
	that(second.Version == 2 && second.SchemaMetadata.Properties["owner"] == "go", "second: ", second)

	for _, one := range client.SetCompatibility(ctx, sr.SetCompatibility{Level: sr.CompatNone}, subject) {
		check(one.Err)
	}
	for _, one := range client.Compatibility(ctx, subject) {
		check(one.Err)
		that(one.Level == sr.CompatNone, "level: ", one)
	}
	versions, err := client.SubjectVersions(ctx, subject)
	check(err)
	that(len(versions) == 2, "versions: ", versions)

	var serde sr.Serde
	decode := sr.DecodeFn(func(data []byte, into any) error { return json.Unmarshal(data, into) })
	serde.Register(second.ID, order{}, sr.EncodeFn(json.Marshal), decode, sr.Index(1, 0))
	written, err := serde.Encode(order{7, "x"})
	check(err)
	var read order
	check(serde.Decode(written, &read))
	that(read == order{7, "x"}, "read: ", read)

	_, err = client.DeleteSubject(ctx, subject, sr.SoftDelete)
	check(err)
	_, err = client.DeleteSubject(ctx, subject, sr.HardDelete)
	check(err)
	subjects, err := client.Subjects(ctx)
	check(err)
	for _, one := range subjects {
		that(one != subject, "still there: ", one)
	}
}
