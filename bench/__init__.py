"""What the server costs, measured: `python -m bench latency` and `... stream`.

Every figure worth keeping is a ratio of two things measured in one run on one
machine; absolute times say what this machine does today and nothing else.
Nothing here is a test: machines are noisy, and below 20 % there is no finding.
"""
