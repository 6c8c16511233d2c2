"""RTP, RTCP and SRTP, sans-IO."""
