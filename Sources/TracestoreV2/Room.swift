// TracestoreV2
