"""What an expert would write without the library, on the same tables and indexes.

Each module does the five operations of the storage benchmark with its driver alone: the
same reads, the same rows written (records, folded text, match keys, claims, history,
outbox), the same checks. E-mail addresses and phone numbers are checked by the same
libraries as ours, since the normal forms and match keys have to be the same; how much
of the time that takes is a figure of its own.

``benchmarks.agreement`` compares what both ways write, row by row, before anything is
measured.
"""
