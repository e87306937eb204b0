// TracestoreTesting
